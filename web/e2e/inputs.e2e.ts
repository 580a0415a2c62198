import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inspect, launch } from "./browser";
import { Publisher } from "./publisher";
import { Stage } from "./stage";

// A box with two inputs: each is told of and looked after by its own name.

const stage = new Stage();
const { box } = stage;
let browser: Browser;
let balcony: Publisher | undefined;

beforeAll(async () => {
  [browser] = await Promise.all([launch(), stage.start()]);
  await stage.claim();
  await stage.addPlaces(2);
  const { id } = await box.api<{ id: string }>("POST", "/inputs", { name: "Balcony" });
  const { key } = await box.api<{ key: string }>("POST", `/inputs/${id}/key`);
  stage.secrets.push(key);
  const places = await box.api<{ id: string; name: string }[]>("GET", "/destinations");
  const trovo = places.find(({ name }) => name === "Trovo");
  await box.api("PATCH", `/destinations/${trovo?.id}`, { output: `${id}/passthrough` });
  await stage.publish();
  balcony = new Publisher(`rtmp://${box.rtmp}/live/${key}`);
});

afterAll(async () => {
  await balcony?.stop("SIGKILL");
  await browser?.close();
  await stage.strike();
});

test("the second one's loss is the headline, while the first goes on", async () => {
  const { page, faults } = await stage.visit(browser);
  const says = (pattern: RegExp, timeout = 15_000) =>
    expect.poll(() => page.getByRole("heading", { level: 1 }).innerText(), { timeout }).toMatch(pattern);
  await page.goto(stage.address("/"));
  await says(/^Live on 2$/);
  await balcony?.stop("SIGKILL");
  await says(/^Balcony stopped [\d:]+.s ago$/, 5000);
  await page.locator(".why").getByText("1 other is fine.").waitFor();
  await page.getByRole("listitem").getByText("Kept open").waitFor();
  await inspect(page, "live-second-lost");
  expect(faults).toEqual([]);
  await page.context().close();
});

test("warnings are muted for one input alone", async () => {
  const { page, faults } = await stage.visit(browser);
  await page.goto(stage.address("/input"));
  const silence = (input: string) =>
    page.getByRole("region", { name: `${input}: Warn when` }).getByLabel("there is no sound for 20 s");
  await silence("Balcony").uncheck();
  await page.reload();
  await expect.poll(() => silence("Balcony").isChecked()).toBe(false);
  expect(await silence("Main").isChecked()).toBe(true);
  await inspect(page, "input-two");
  expect(faults).toEqual([]);
  await page.context().close();
});
