import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inspect, launch } from "./browser";
import { OWNER, Stage } from "./stage";

// What is for somebody who helps: the support file and the box's own log.

const stage = new Stage();
let browser: Browser;
let page: Page;
let faults: string[];

const button = (name: string | RegExp) => page.getByRole("button", { name, exact: typeof name === "string" });

beforeAll(async () => {
  [browser] = await Promise.all([launch(), stage.start()]);
  await stage.claim();
  await stage.addPlaces(2);
  await stage.publish();
  ({ page, faults } = await stage.visit(browser));
});

afterAll(async () => {
  await browser?.close();
  await stage.strike();
  expect(faults).toEqual([]);
});

test("a support file is made while one watches, and holds no secret", async () => {
  await page.goto(stage.address("/diagnostics"));
  await page.getByRole("link", { name: "Make support file" }).click();
  await inspect(page, "support");
  await button("Make support file").click();
  const began = Date.now();
  const link = page.getByRole("link", { name: /^Download/ });
  await link.waitFor({ timeout: 15_000 });
  expect(Date.now() - began).toBeLessThan(15_000);
  await page.reload();
  await link.waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
  const bytes = readFileSync(await download.path());
  expect(bytes.subarray(0, 2).toString()).toBe("PK");
  for (const secret of stage.secrets) expect(bytes.includes(secret)).toBe(false);
  await inspect(page, "support-made");
});

test("the raw log is there, by level and by text", async () => {
  await page.goto(stage.address("/diagnostics"));
  await page.getByText("Raw log").click();
  const log = page.getByRole("list", { name: "Raw log" });
  await log.getByRole("listitem").first().waitFor();
  await page.getByLabel("Contains").fill("surely nobody says this");
  await page.getByText("Nothing of this kind.").waitFor();
  await page.getByLabel("Contains").fill("");
  await log.getByRole("listitem").first().waitFor();
  await inspect(page, "log");
  expect(await page.content()).not.toContain(OWNER.password);
});
