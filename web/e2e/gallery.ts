import { mkdirSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, openPage } from "./browser";
import { Daemon } from "./daemon";
import { Publisher } from "./publisher";

// Every screen, in both themes and two sizes, into one folder. All of it is real: a box, a stream, servers that take it.

const FOLDER = process.env["SHOTS"] ?? "../build/screenshots";
const ONLY = process.env["ONLY"];
const SIZES = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
];
const PASSWORD = "three plain words";

const box = new Daemon();
const peer = new Daemon();
let browser: Browser;
let page: Page;
let faults: string[];
let closes: Server;
let publisher: Publisher | undefined;

beforeAll(async () => {
  mkdirSync(FOLDER, { recursive: true });
  await Promise.all([box.start(), peer.start()]);
  await peer.claim();
  closes = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => closes.listen(0, "127.0.0.1", resolve));
  browser = await launch();
  ({ page, faults } = await openPage(browser));
});

afterAll(async () => {
  await publisher?.stop("SIGKILL");
  await browser?.close();
  closes?.close();
  await Promise.all([box.remove(), peer.remove()]);
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
  await page.goto(`http://${box.http}${path}`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForTimeout(400);
};

test("the gallery", async () => {
  await page.goto(`http://${box.http}/`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await shoot("setup-1-language");
  await box.api("POST", "/setup", { username: "mara", password: PASSWORD, boxName: "river-street" });
  await open("/login");
  await shoot("sign-in");
  await page.getByLabel("Your name").fill("mara");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("navigation").waitFor();
  for (const [index, step] of ["name", "check", "destination", "obs", "live"].entries()) {
    await open(`/setup/${step}`);
    await shoot(`setup-${index + 3}-${step}`);
  }
  await open("/");
  await shoot("live-empty");
  await open("/destinations");
  await shoot("destinations-empty");
  await open("/destinations/new");
  await shoot("destination-new");

  await box.api("DELETE", "/system/claim");
  const closing = `rtmp://127.0.0.1:${(closes.address() as { port: number }).port}/app`;
  const names = ["YouTube", "Twitch", "Kick", "Parish website", "Facebook"];
  for (const [index, name] of names.entries()) {
    const input = await peer.api<{ id: string }>("POST", "/inputs", { name });
    const { key } = await peer.api<{ key: string }>("POST", `/inputs/${input.id}/key`);
    await box.api("POST", "/destinations", {
      name,
      platform: "custom",
      url: name === "Kick" ? closing : `rtmp://${peer.rtmp}/live`,
      key,
      allowLocal: true,
      enabled: name !== "Facebook" && name !== "Kick",
      startMode: "withStream",
      position: index + 1,
    });
  }
  await open("/");
  await shoot("live-ready");
  publisher = new Publisher(`rtmp://${box.rtmp}/live/${await box.key()}`);
  await expect
    .poll(() => page.getByRole("heading", { level: 1 }).innerText(), { timeout: 20_000 })
    .toMatch(/^Live on 3/);
  await page.waitForTimeout(20_000);
  await shoot("live-good");
  const all = await box.api<{ id: string; name: string }[]>("GET", "/destinations");
  const id = (name: string) => all.find((one) => one.name === name)?.id ?? "";
  await box.api("POST", `/destinations/${id("Kick")}/on`);
  await page.waitForTimeout(6000);
  await shoot("live-trouble");
  await open("/destinations");
  await shoot("destinations");
  await open(`/destinations/${id("Kick")}`);
  await shoot("destination-edit");
  const stranger = new Publisher(`rtmp://${box.rtmp}/live/this-key-is-wrong-0000`);
  await open("/input");
  await page.waitForTimeout(3000);
  await stranger.stop("SIGKILL");
  await shoot("input");
  for (const screen of ["encoders", "recordings", "diagnostics", "system", "people", "help", "about", "more"]) {
    await open(`/${screen}`);
    await shoot(screen);
  }
  await open("/people/new");
  await shoot("person-new");
  await open("/");
  await box.api("POST", "/broadcast/stop");
  await page.waitForTimeout(2500);
  await shoot("live-stopped");
  await box.api("POST", "/broadcast/start");
  await publisher.stop("SIGKILL");
  await page.waitForTimeout(8000);
  await shoot("live-lost");
  box.pause();
  await page.waitForTimeout(5000);
  await shoot("live-unreachable");
  box.resume();
  expect(faults).toEqual([]);
});
