import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, openPage } from "./browser";
import { SCREENS, Stage } from "./stage";

// A minute of all that can be read on every screen, also for a moment only, and by no eye: no key, unless *Show* is pressed.

const MINUTE_MS = 60_000;
const stage = new Stage();
const { box } = stage;
let browser: Browser;

beforeAll(async () => {
  [browser] = await Promise.all([launch(), stage.raise()]);
});

afterAll(async () => {
  await browser?.close();
  await stage.strike();
});

test("a minute's record of all screens holds no secret, and the key for as long as it is shown", async () => {
  const { page, faults } = await stage.visit(browser);
  const record = await recorder(page);
  const link = await box.api<{ path: string }>("POST", "/watch-links", { name: "Family", input: "main" });
  const walk = [...SCREENS, "/login", link.path];
  const began = Date.now();
  for (const [index, path] of walk.entries()) {
    await page.goto(stage.address(path));
    await page.getByRole("heading", { level: 1 }).waitFor();
    const until = began + ((index + 1) * MINUTE_MS) / walk.length;
    await page.waitForTimeout(Math.max(500, until - Date.now()));
  }
  expect(Date.now() - began).toBeGreaterThanOrEqual(MINUTE_MS);
  // It has seen what is there: words, names for a screen reader, what stands in a field.
  for (const known of ["Live on", "Send to Twitch", "river-street", "Family"])
    expect(record.has(known), known).toBe(true);
  for (const secret of stage.secrets) expect(record.has(secret), "a secret").toBe(false);

  const key = await box.key();
  await page.goto(stage.address("/input"));
  await page.getByRole("button", { name: "Show 10 s" }).click();
  await page.getByText(key).waitFor();
  await expect.poll(() => record.has(key)).toBe(true);
  for (const secret of stage.secrets) if (secret !== key) expect(record.has(secret), "another secret").toBe(false);
  await page.getByText(key).waitFor({ state: "detached", timeout: 12_000 });
  await record.clear();
  await page.getByRole("button", { name: "Show 10 s" }).waitFor();
  await page.waitForTimeout(1500);
  expect(record.has("Show 10 s")).toBe(true);
  expect(record.has(key), "hidden again").toBe(false);
  expect(faults).toEqual([]);
  await page.context().close();
}, 180_000);

test("nor do the doors, to somebody who is not signed in", async () => {
  const { page } = await openPage(browser);
  const record = await recorder(page);
  for (const path of ["/login", "/", "/input", "/setup", "/watch/"]) {
    await page.goto(stage.address(path));
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.waitForTimeout(1000);
  }
  expect(record.has("Sign in")).toBe(true);
  for (const secret of stage.secrets) expect(record.has(secret), "a secret").toBe(false);
  await page.context().close();
});

/** Writes down every text, attribute and field of a page from its first moment on: each change, and all of it four times a second. */
async function recorder(page: Page) {
  const written = new Set<string>();
  await page.exposeFunction("writeDown", (texts: string[]) => texts.forEach((text) => written.add(text)));
  await page.addInitScript(() => {
    const { writeDown } = window as unknown as { writeDown(texts: string[]): void };
    const known = Object.assign(window, { writtenDown: new Set<string>() }).writtenDown;
    let fresh: string[] = [];
    const note = (text: string | null | undefined) => {
      if (!text || known.has(text)) return;
      known.add(text);
      fresh.push(text);
    };
    const look = (node: Node) => {
      note(node.textContent);
      if (!(node instanceof Element)) return;
      for (const element of [node, ...node.querySelectorAll("*")]) {
        for (const { value } of element.attributes) note(value);
        if ("value" in element) note(String(element.value));
      }
    };
    const hand = () => {
      writeDown(fresh);
      fresh = [];
    };
    new MutationObserver((changes) => {
      for (const { target, addedNodes, attributeName } of changes) {
        for (const node of addedNodes) look(node);
        // The whole text around it: a key may come in pieces.
        note((target.parentElement ?? target).textContent);
        if (attributeName) note((target as Element).getAttribute(attributeName));
      }
      hand();
    }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    setInterval(() => {
      look(document.documentElement);
      note(document.title);
      hand();
    }, 250);
  });
  return {
    has: (text: string) => [...written].some((one) => one.includes(text)),
    /** Begins a new page of it, on which all that is there is written again. */
    clear: async () => {
      await page.evaluate(() => (window as unknown as { writtenDown: Set<string> }).writtenDown.clear());
      written.clear();
    },
  };
}
