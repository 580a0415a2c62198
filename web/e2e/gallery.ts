import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, openPage } from "./browser";
import { Publisher } from "./publisher";
import { OWNER, Stage } from "./stage";

// Every screen, in both themes and two sizes, into one folder. All of it is real: a box, a stream, servers that take it.

const FOLDER = process.env["SHOTS"] ?? "../build/screenshots";
const ONLY = process.env["ONLY"];
const SIZES = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
];

const stage = new Stage();
const { box } = stage;
let browser: Browser;
let page: Page;
let faults: string[];

beforeAll(async () => {
  mkdirSync(FOLDER, { recursive: true });
  [browser] = await Promise.all([launch(), stage.start()]);
  ({ page, faults } = await openPage(browser));
});

afterAll(async () => {
  await browser?.close();
  await stage.strike();
});

async function shoot(name: string): Promise<void> {
  if (ONLY && !name.startsWith(ONLY)) return;
  for (const size of SIZES) {
    await page.setViewportSize(size);
    for (const colorScheme of ["dark", "light"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(150);
      await page.screenshot({ path: join(FOLDER, `${name}-${size.width}x${size.height}-${colorScheme}.png`) });
    }
  }
}

const open = async (path: string) => {
  await page.goto(stage.address(path));
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForTimeout(400);
};

test("the gallery", async () => {
  await open("/");
  await shoot("setup-1-language");
  await open("/setup/claim");
  await page.getByLabel("Your name").fill(OWNER.username);
  await page.getByLabel("Password", { exact: true }).fill(OWNER.password);
  await shoot("setup-2-claim");
  await stage.claim();
  await open("/login");
  await shoot("sign-in");
  await page.getByLabel("Your name").fill(OWNER.username);
  await page.getByLabel("Password", { exact: true }).fill(OWNER.password);
  await page.keyboard.press("Enter");
  await page.getByRole("navigation").waitFor();
  for (const [index, step] of ["name", "network", "check", "destination", "obs", "live"].entries()) {
    await open(`/setup/${step}`);
    await shoot(`setup-${index + 3}-${step}`);
  }
  await open("/");
  await shoot("live-empty");
  await open("/destinations");
  await shoot("destinations-empty");
  await open("/destinations/new");
  await shoot("destination-new");
  await open("/profiles");
  await shoot("profiles-empty");
  await open("/tell");
  await shoot("tell-empty");

  await stage.addPlaces(5, ["Kick", "Facebook"]);
  await box.api("POST", "/profiles", { name: "Sunday" });
  await open("/");
  await shoot("live-ready");
  await stage.publish("show");
  const says = (pattern: RegExp) =>
    expect.poll(() => page.getByRole("heading", { level: 1 }).innerText(), { timeout: 20_000 }).toMatch(pattern);
  await says(/^Live on 3/);
  await page.mouse.click(700, 5);
  await page.waitForTimeout(60_000);
  await shoot("live-good");
  await box.api("POST", `/destinations/${stage.trouble}/on`);
  await page.waitForTimeout(6000);
  await shoot("live-trouble");
  await open("/destinations");
  await shoot("destinations");
  await open(`/destinations/${stage.trouble}`);
  await shoot("destination-edit");
  const stranger = new Publisher(`rtmp://${box.rtmp}/live/this-key-is-wrong-0000`);
  await open("/input");
  await page.waitForTimeout(3000);
  await stranger.stop("SIGKILL");
  await shoot("input");
  const [profile] = await box.api<{ id: string }[]>("GET", "/profiles");
  await open("/profiles");
  await shoot("profiles");
  await open(`/profiles/${profile!.id}`);
  await page.getByRole("dialog").getByRole("checkbox").first().waitFor();
  await shoot("profile-compare");
  const phone = { name: "My phone", service: "ntfy", url: "https://ntfy.sh/river-street-7Q2x" };
  await box.api("POST", "/notifications", phone);
  await open("/tell");
  await shoot("tell");
  await open("/tell/new");
  await shoot("tell-new");
  for (const screen of ["encoders", "recordings", "diagnostics", "system", "people", "help", "about", "more"]) {
    await open(`/${screen}`);
    await shoot(screen);
  }
  await open("/diagnostics");
  await page.getByText("Raw log").click();
  await page.getByRole("list", { name: "Raw log" }).waitFor();
  await shoot("diagnostics-log");
  await open("/diagnostics/support");
  await page.getByRole("button", { name: "Make support file" }).click();
  await page.getByRole("link", { name: /^Download/ }).waitFor();
  await shoot("support-file");
  await open("/people/new");
  await shoot("person-new");
  await open("/");
  await box.api("POST", "/broadcast/stop");
  await page.waitForTimeout(2500);
  await shoot("live-stopped");
  await box.api("POST", "/broadcast/start");
  await stage.publisher?.stop("SIGKILL");
  await page.waitForTimeout(8000);
  await shoot("live-lost");
  box.pause();
  await page.waitForTimeout(5000);
  await shoot("live-unreachable");
  box.resume();
  expect(faults).toEqual([]);
});
