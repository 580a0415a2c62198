import { expect, test } from "vitest";
import { launch } from "./browser";
import { growth } from "./heap";
import { Stage } from "./stage";

// The Live screen with eight destinations for as long as MINUTES says (60 without it): the heap may grow by less than 5 MB.
// Run by hand:
// npx vitest run --config e2e/long.config.ts

const MINUTES = Number(process.env["MINUTES"] ?? 60);
const SETTLED_MS = 60_000;

test(`the heap stays where it is for ${MINUTES} min`, async () => {
  const stage = new Stage();
  const [browser] = await Promise.all([launch(), stage.raise({ places: 8, off: [] })]);
  try {
    const { page, faults } = await stage.visit(browser);
    await page.goto(stage.address("/"));
    const { before, after } = await growth(page, SETTLED_MS, MINUTES * 60_000);
    console.log(`heap ${before.toFixed(1)} MB, after ${MINUTES} min ${after.toFixed(1)} MB`);
    expect(after - before).toBeLessThan(5);
    expect(faults).toEqual([]);
  } finally {
    await browser.close();
    await stage.strike();
  }
});
