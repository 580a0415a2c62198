import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { expect } from "vitest";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
/** Where pictures go; none are taken without it. */
const SHOTS = process.env["E2E_SHOTS"];
/** Everything with everything, as `make test-web` does. */
const ALL = process.env["E2E_ALL"] !== undefined;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const SIZES = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
  { width: 320, height: 640 },
];

/** Chromium, for which every `.local` name is this machine. */
export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--host-resolver-rules=MAP *.local 127.0.0.1",
    ],
  });
}

/** A page that notes what must not happen: errors, broken policy, requests to anywhere else. */
export async function openPage(browser: Browser): Promise<{ page: Page; faults: string[] }> {
  const context = await browser.newContext({ locale: "en-GB", viewport: SIZES[0]!, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(`error on ${page.url()}: ${error.stack}`));
  page.on("console", (message) => {
    // An answer that is an error, and a box that is away, are told in the console by the browser itself.
    const expected = /Failed to load resource|WebSocket connection/.test(message.text());
    if (message.type() === "error" && !expected) faults.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["127.0.0.1", "localhost"].includes(url.hostname) && !url.hostname.endsWith(".local")) {
      faults.push(`request to ${url.host}`);
    }
  });
  return { page, faults };
}

/**
 * Looks at a screen in all sizes: axe finds nothing, nothing scrolls sideways; takes its picture. In the dark as well where
 * everything is looked at; `screens.e2e.ts` looks at most screens in the dark anyway.
 */
export async function inspect(page: Page, name: string): Promise<void> {
  const before = page.viewportSize() ?? SIZES[0]!;
  const themes = ALL || SHOTS ? (["light", "dark"] as const) : (["light"] as const);
  for (const size of SIZES) {
    await page.setViewportSize(size);
    for (const colorScheme of themes) {
      await page.emulateMedia({ colorScheme });
      const where = `${name} ${size.width} ${colorScheme}`;
      if (SHOTS) {
        mkdirSync(SHOTS, { recursive: true });
        await page.screenshot({ path: join(SHOTS, `${name}-${size.width}-${colorScheme}.png`) });
      }
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(sideways, `${where}: scrolls sideways`).toBeLessThanOrEqual(0);
      if (ALL || size.width !== 320) expect(await violations(page), where).toEqual([]);
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize(before);
}

/** What axe finds. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    interface Violation {
      id: string;
      nodes: { target: string[]; failureSummary: string }[];
    }
    const { violations } = await axe.run();
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`,
    );
  });
}

/** What is in the clipboard, found out as a person would: by pasting it. */
export async function pasted(page: Page): Promise<string> {
  const field = page.locator("#e2e-paste");
  await page.evaluate(() => {
    const input = document.createElement("input");
    input.id = "e2e-paste";
    document.body.append(input);
  });
  await field.focus();
  await page.keyboard.press("Control+V");
  const text = await field.inputValue();
  await page.evaluate(() => document.getElementById("e2e-paste")?.remove());
  return text;
}
