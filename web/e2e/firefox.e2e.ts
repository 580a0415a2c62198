import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Firefox } from "./firefox";
import { OWNER, SCREENS, Stage } from "./stage";

// Every screen in Debian's Firefox too. Part of `make test-web`; elsewhere only where it is installed and asked for.

const here = process.env["E2E_ALL"] !== undefined && existsSync(process.env["FIREFOX"] ?? "/usr/bin/firefox-esr");

describe.skipIf(!here)("Firefox", () => {
  const stage = new Stage();
  const firefox = new Firefox();

  beforeAll(async () => {
    await Promise.all([firefox.start(), stage.raise()]);
  }, 120_000);

  afterAll(async () => {
    await firefox.stop();
    await stage.strike();
  });

  test("opens every screen without an error", async () => {
    await firefox.goto(stage.address("/"));
    const signIn = `fetch("/api/v1/login", { method: "POST", headers: { "content-type": "application/json" },
      body: ${JSON.stringify(JSON.stringify(OWNER))} }).then((response) => response.status)`;
    expect(await firefox.evaluate<number>(signIn)).toBeLessThan(300);
    firefox.errors.length = 0;
    for (const path of SCREENS) {
      await firefox.goto(stage.address(path));
      await expect
        .poll(() => firefox.evaluate<string>(`document.querySelector("h1")?.innerText ?? ""`), { timeout: 10_000 })
        .not.toBe("");
      await new Promise((resolve) => setTimeout(resolve, 400));
      const sideways = await firefox.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
      expect(sideways, path).toBeLessThanOrEqual(0);
      // A socket that is cut by going to the next page is told as an error by Firefox itself.
      const faults = firefox.errors.filter(
        (text) => !/interrupted while the page was loading|can’t establish/.test(text),
      );
      expect(faults, path).toEqual([]);
    }
  }, 180_000);
});
