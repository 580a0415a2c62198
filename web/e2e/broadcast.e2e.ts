import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inspect, launch } from "./browser";
import { Stage } from "./stage";

// A broadcast from its start to its end: by a press or with the stream, taken back, stopped, ended.

const stage = new Stage();
const { box } = stage;
let browser: Browser;
let page: Page;
let faults: string[];

const button = (name: string) => page.getByRole("button", { name, exact: true });
const says = (pattern: RegExp, timeout = 15_000) =>
  expect.poll(() => page.getByRole("heading", { level: 1 }).innerText(), { timeout }).toMatch(pattern);
const why = (text: string) => page.locator(".why").getByText(text).waitFor();

beforeAll(async () => {
  [browser] = await Promise.all([launch(), stage.start()]);
  await stage.claim();
  await stage.addPlaces(1);
  ({ page, faults } = await stage.visit(browser));
});

afterAll(async () => {
  await browser?.close();
  await stage.strike();
  expect(faults).toEqual([]);
});

test("a planned end is said to be one, also to who comes later", async () => {
  await page.goto(stage.address("/"));
  await says(/^Ready\. Waiting for OBS/);
  await stage.publish();
  await says(/^Live on 1$/);
  await stage.publisher?.stop();
  await says(/^Ended\. 0:\d\d on 1 place\.$/, 6000);
  await why("Start streaming to the address below.");
  await page.reload();
  await says(/^Ended\. 0:\d\d on 1 place\.$/);
  await inspect(page, "live-ended");
});

test("what was stopped by hand stays ended when OBS stops too", async () => {
  await stage.publish();
  await says(/^Live on 1$/);
  await button("Stop sending").click();
  await button("Yes, stop").click();
  await says(/^Ended\./);
  await stage.publisher?.stop();
  await expect.poll(async () => (await status()).inputs.main.state).toBe("none");
  await page.waitForTimeout(1500);
  await says(/^Ended\./, 1);
});

test("what saving costs a live place is said before", async () => {
  await stage.publish();
  await page.goto(stage.address("/"));
  await says(/^Live on 1$/);
  await page.goto(stage.address("/destinations"));
  await page.getByRole("link", { name: "Twitch" }).click();
  await page.getByText("More settings").click();
  await page.getByLabel("Backup server").fill("rtmp://192.0.2.9/app");
  await page.getByText("Saving reconnects Twitch only.").waitFor();
  await page.getByLabel("Start", { exact: true }).selectOption("manual");
  await page.getByText("Saving ends the stream to Twitch.").waitFor();
  await inspect(page, "destination-cost");
  await page.getByLabel("Backup server").fill("");
  await button("Save").click();
  await page.getByText("Saved.").waitFor();
  await page.goto(stage.address("/"));
  await says(/^Rehearsal: nobody sees this/);
  await stage.publisher?.stop();
  await says(/^Ended\./);
});

test("a start before anybody sends says so, and is taken back", async () => {
  await why("Nothing goes out before Start sending.");
  expect(await button("Start sending").count()).toBe(0);
  await box.api("POST", "/broadcast/start");
  await why("Goes out as soon as OBS sends.");
  await page.getByText("Waiting", { exact: true }).first().waitFor();
  await inspect(page, "live-armed");
  await button("Stop sending").click();
  await button("Yes, stop").click();
  await page.locator(".why").getByText("Goes out as soon as OBS sends.").waitFor({ state: "detached" });
  await stage.publish();
  await says(/^Rehearsal: nobody sees this/);
  await button("Start sending").click();
  await says(/^Live on 1$/);
});

const status = () => box.api<{ inputs: { main: { state: string } } }>("GET", "/status");
