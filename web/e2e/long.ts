import { expect, test } from "vitest";
import { launch } from "./browser";
import { Stage } from "./stage";

// The Live screen for as long as MINUTES says (60 without it): the heap may grow by less than 5 MB. Run by hand:
// npx vitest run --config e2e/long.config.ts

const MINUTES = Number(process.env["MINUTES"] ?? 60);
const SETTLED_MS = 60_000;

test(`the heap stays where it is for ${MINUTES} min`, async () => {
  const stage = new Stage();
  const [browser] = await Promise.all([launch(), stage.raise()]);
  try {
    const { page, faults } = await stage.visit(browser);
    await page.goto(stage.address("/"));
    const devtools = await page.context().newCDPSession(page);
    const heap = async () => {
      await devtools.send("HeapProfiler.collectGarbage");
      const { usedSize } = await devtools.send("Runtime.getHeapUsage");
      return usedSize / 1024 / 1024;
    };
    await page.waitForTimeout(SETTLED_MS);
    const before = await heap();
    await page.waitForTimeout(MINUTES * 60_000);
    const after = await heap();
    console.log(`heap ${before.toFixed(1)} MB, after ${MINUTES} min ${after.toFixed(1)} MB`);
    expect(after - before).toBeLessThan(5);
    expect(faults).toEqual([]);
  } finally {
    await browser.close();
    await stage.strike();
  }
});
