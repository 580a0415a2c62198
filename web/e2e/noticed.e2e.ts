import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inspect, launch } from "./browser";
import { Stage } from "./stage";

// A picture that stands still and a stream without sound: said at the top, and silent again where somebody says so.

const stage = new Stage();
let browser: Browser;

beforeAll(async () => {
  [browser] = await Promise.all([launch(), stage.start()]);
  await stage.claim();
  await stage.addPlaces(1);
  await stage.publish("still");
});

afterAll(async () => {
  await browser?.close();
  await stage.strike();
});

test("a picture that stands still and silence are headlines, until they are muted", async () => {
  const { page, faults } = await stage.visit(browser);
  const says = (pattern: RegExp, timeout = 10_000) =>
    expect.poll(() => page.getByRole("heading", { level: 1 }).innerText(), { timeout }).toMatch(pattern);
  await page.goto(stage.address("/"));
  await says(/^Live on 1$/, 20_000);
  await says(/^No sound for [\d:]+/, 40_000);
  await page.getByText("It goes out like this to 1 place.").waitFor();
  await page.getByRole("button", { name: "Mute this warning" }).click();
  await says(/^Live on 1$/);
  await says(/^The picture has stood still for [\d:]+/, 60_000);
  await inspect(page, "live-frozen");
  const go = (name: string) => page.getByRole("navigation").getByRole("link", { name }).first().click();
  await go("Input");
  await expect.poll(() => page.getByLabel("there is no sound for 20 s").isChecked()).toBe(false);
  await page.getByLabel("the picture stands still for 10 s").uncheck();
  await go("Live");
  await says(/^Live on 1$/);
  await go("Input");
  await page.getByLabel("there is no sound for 20 s").check();
  await go("Live");
  await says(/^No sound for/);
  expect(faults).toEqual([]);
}, 150_000);
