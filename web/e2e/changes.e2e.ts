import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inspect, launch } from "./browser";
import { Stage } from "./stage";

// What changes under an open page, by itself or by somebody else: shown as it is, and told to who does not see it.

const stage = new Stage();
const { box } = stage;
let browser: Browser;
let page: Page;
let faults: string[];
let twitch = "";

const says = (pattern: RegExp, timeout = 15_000) =>
  expect.poll(() => page.getByRole("heading", { level: 1 }).innerText(), { timeout }).toMatch(pattern);

beforeAll(async () => {
  [browser] = await Promise.all([launch(), stage.start()]);
  await stage.claim();
  await stage.addPlaces(3, ["Kick"]);
  await stage.publish();
  const places = await box.api<{ id: string; name: string }[]>("GET", "/destinations");
  twitch = places.find(({ name }) => name === "Twitch")!.id;
  ({ page, faults } = await stage.visit(browser));
  await page.goto(stage.address("/"));
});

afterAll(async () => {
  await browser?.close();
  await stage.strike();
  expect(faults).toEqual([]);
});

test("a switch that somebody else turns back at once does not stay as it was pressed here", async () => {
  await says(/^Live on 2$/);
  const ours = page.getByRole("switch", { name: "Send to Twitch" });
  await page.route(`**/destinations/${twitch}/off`, async (route) => {
    const response = await route.fetch();
    await box.api("POST", `/destinations/${twitch}/on`);
    await route.fulfill({ response });
  });
  await ours.click();
  expect(await ours.getAttribute("aria-checked")).toBe("false");
  await expect.poll(() => ours.getAttribute("aria-checked"), { timeout: 6000 }).toBe("true");
  await page.unroute(`**/destinations/${twitch}/off`);
  await says(/^Live on 2$/);
});

test("a change is announced once in words, and no more often than every five seconds", async () => {
  // Nothing of before is left to be said.
  await page.waitForTimeout(6000);
  const region = page.locator("p.vh[role=status]").first();
  await region.evaluate((element) => {
    const heard: { at: number; words: string }[] = [];
    Object.assign(window, { heard });
    const listen = () => {
      const words = element.textContent ?? "";
      // Emptied again once it was read.
      if (words !== "") heard.push({ at: performance.now(), words });
    };
    new MutationObserver(listen).observe(element, { childList: true, characterData: true, subtree: true });
  });
  const heard = () => page.evaluate(() => (window as unknown as { heard: { at: number; words: string }[] }).heard);
  await page.getByRole("switch", { name: "Send to Kick" }).click();
  await expect.poll(async () => (await heard()).length, { timeout: 5000 }).toBeGreaterThan(0);
  await box.api("POST", `/destinations/${twitch}/off`);
  await says(/^Live on 1 of 2$/);
  await expect
    .poll(async () => (await heard()).map(({ words }) => words).join(" "), { timeout: 8000 })
    // Which of the two comes first is the server's to say, which closes.
    .toMatch(/^(?=.*Kick: Retrying.*Kick closed the connection\.).*Twitch: Off\./s);
  await page.waitForTimeout(6000);
  const all = await heard();
  expect(all.filter(({ words }) => words.includes("Twitch: Off."))).toHaveLength(1);
  for (const [index, { at }] of all.entries()) {
    if (index > 0) expect(at - all[index - 1]!.at).toBeGreaterThanOrEqual(4500);
  }
  await inspect(page, "live-announced");
});

test("what happened is picked, and the graphs show two minutes before and after it", async () => {
  await page.goto(stage.address("/diagnostics"));
  const graphs = page.getByRole("region", { name: "What was measured" });
  const event = () => page.getByRole("button", { name: /switched Twitch off/ }).first();
  await event().click();
  await graphs.getByRole("button", { name: "± 2 min", pressed: true }).waitFor();
  await graphs.locator("path.cursor").first().waitFor({ state: "attached" });
  await graphs.getByRole("img", { name: /Mb\/s/ }).first().waitFor();
  await inspect(page, "diagnostics-picked");
  await graphs.getByRole("button", { name: "5 min" }).click();
  expect(await event().getAttribute("aria-pressed")).toBe("false");
  expect(await graphs.getByRole("button", { name: "± 2 min" }).count()).toBe(0);
});

test("of what is older than a day there are no figures, and that is said", async () => {
  await page.route("**/api/v1/events?*", async (route) => {
    const response = await route.fetch();
    const events = (await response.json()) as { time: string }[];
    const older = (time: string) => new Date(Date.parse(time) - 2 * 86_400_000).toISOString();
    await route.fulfill({ response, json: events.map((event) => ({ ...event, time: older(event.time) })) });
  });
  await page.reload();
  await page
    .getByRole("button", { name: /switched Twitch off/ })
    .first()
    .click();
  await page.getByText("No figures from then.").waitFor();
  await page.unroute("**/api/v1/events?*");
});

test("what somebody else sets is here without loading the page again", async () => {
  await page.goto(stage.address("/"));
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  const places = await box.api<{ id: string; name: string }[]>("GET", "/destinations");
  const trovo = places.find(({ name }) => name === "Trovo");
  await box.api("PATCH", `/destinations/${trovo?.id}`, { startMode: "manual" });
  await page.getByText("Waits for Start sending").first().waitFor();
  await box.api("PATCH", "/system", { boxName: "hill-road" });
  await page.getByRole("navigation").getByText("hill-road").first().waitFor();
  await page.goto(stage.address("/diagnostics"));
  await page.getByText("named the box hill-road. Whatever sends to river-street.local").first().waitFor();
  await page
    .getByRole("img", { name: /°C/ })
    .or(page.getByRole("heading", { name: /Box Load/ }))
    .first()
    .waitFor();
});
