import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { inspect } from "./browser";
import { evening } from "./evening";
import { OWNER } from "./stage";

// What is for somebody who helps: the support file and the box's own log.

const { stage, eyes } = evening(2);

test("a support file is made while one watches, and holds no secret", async () => {
  const { page } = eyes;
  await page.goto(stage.address("/diagnostics"));
  await page.getByRole("link", { name: "Make support file" }).click();
  await inspect(page, "support");
  await eyes.button("Make support file").click();
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
  const { page } = eyes;
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
