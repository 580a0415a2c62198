import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, violations } from "./browser";
import { cut, lengthen, sideways } from "./looks";
import { SCREENS, Stage } from "./stage";

// Every screen of a busy box, measured: nothing cut, nothing sideways, nothing that axe finds, no secret, no error.

const ALL = process.env["E2E_ALL"] !== undefined;
const themes = ["light", "dark"] as const;
const pairs = ALL
  ? ["en", "de", "es", "fr", "ja"].flatMap((language) => themes.map((theme) => [language, theme] as const))
  : ([
      ["en", "light"],
      ["de", "dark"],
    ] as const);
const widths = [1280, 390, 320];

const stage = new Stage();
let browser: Browser;

beforeAll(async () => {
  [browser] = await Promise.all([launch(), stage.raise()]);
});

afterAll(async () => {
  await browser?.close();
  await stage.strike();
});

test.each(pairs)(
  "every screen in %s, %s",
  async (language, colorScheme) => {
    const { page, faults } = await stage.visit(browser, language);
    await page.emulateMedia({ colorScheme });
    for (const path of SCREENS) {
      await page.goto(stage.address(path));
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForTimeout(250);
      expect(await page.evaluate(() => document.documentElement.lang)).toBe(language);
      for (const width of widths) {
        const where = `${path} ${language} ${width} ${colorScheme}`;
        await page.setViewportSize({ width, height: 844 });
        expect(await sideways(page), `${where}: scrolls sideways`).toBeLessThanOrEqual(0);
        expect(await cut(page), where).toEqual([]);
        if (width !== 320) expect(await violations(page), where).toEqual([]);
      }
      const seen = await page.evaluate(() => document.documentElement.outerHTML);
      for (const secret of stage.secrets) expect(seen.includes(secret), `${path}: a secret`).toBe(false);
    }
    expect(faults).toEqual([]);
    await page.context().close();
  },
  300_000,
);

test("from right to left, and with longer words, nothing is cut either", async () => {
  const { page, faults } = await stage.visit(browser, "en");
  for (const path of SCREENS) {
    for (const width of ALL ? widths : [390]) {
      await page.setViewportSize({ width, height: 844 });
      await page.goto(stage.address(path));
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForTimeout(200);
      await page.evaluate(() => (document.documentElement.dir = "rtl"));
      expect(await sideways(page), `${path} ${width} rtl`).toBeLessThanOrEqual(0);
      expect(await cut(page), `${path} ${width} rtl`).toEqual([]);
      await page.evaluate(() => (document.documentElement.dir = "ltr"));
      await lengthen(page);
      expect(await sideways(page), `${path} ${width} long`).toBeLessThanOrEqual(0);
      expect(await cut(page), `${path} ${width} long`).toEqual([]);
    }
  }
  expect(faults).toEqual([]);
  await page.context().close();
}, 200_000);
