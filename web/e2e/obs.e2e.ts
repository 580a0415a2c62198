import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launch } from "./browser";
import { canRunObs, Obs } from "./obs";
import { Stage } from "./stage";

// OBS on the device that the page runs on, where the box cannot reach it: the page sets it up itself. Part of
// `make test-web`: OBS takes its time, and its port has to be free.

const here = process.env["E2E_ALL"] !== undefined && canRunObs;

describe.skipIf(!here)("OBS on this device", () => {
  const PASSWORD = "obs password for the test";
  const before = { server: "rtmp://old.example/app", key: "what-was-there-before" };
  const stage = new Stage();
  const obs = new Obs(PASSWORD, before);
  const service = () => obs.ask<{ streamServiceSettings: { server: string; key: string } }>("GetStreamServiceSettings");
  let browser: Browser;

  beforeAll(async () => {
    [browser] = await Promise.all([launch(), stage.start(), obs.start()]);
    await stage.claim();
  }, 240_000);

  afterAll(async () => {
    await browser?.close();
    await obs.stop();
    await stage.strike();
  });

  test("is set up by one press, streams, and is put back", async () => {
    const { page, faults } = await stage.visit(browser);
    const says = (pattern: RegExp) =>
      expect.poll(() => page.getByRole("heading", { level: 1 }).innerText(), { timeout: 30_000 }).toMatch(pattern);
    const press = (name: string) => page.getByRole("button", { name, exact: true }).click();
    const complaint = (text: RegExp) => page.getByRole("alert").filter({ hasText: text }).waitFor();
    await page.goto(stage.address("/setup/obs"));
    const password = page.getByLabel("OBS WebSocket password", { exact: true });

    await password.fill("a wrong password");
    await press("Set up OBS");
    await complaint(/not the password that OBS shows/);
    expect((await service()).streamServiceSettings).toMatchObject(before);

    await password.fill(PASSWORD);
    await press("Set up OBS");
    await page.getByText(/^OBS [\d.]+ now sends to rtmp:/).waitFor();
    expect((await service()).streamServiceSettings).toMatchObject({
      server: `rtmp://${stage.box.rtmp}/live`,
      key: await stage.box.key(),
    });
    await obs.ask("StartStream");
    await says(/^There is the picture/);

    await press("Set up OBS");
    await complaint(/OBS is streaming/);
    await obs.ask("StopStream");
    await says(/^Point OBS at this box/);
    await expect
      .poll(async () => (await obs.ask<{ outputActive: boolean }>("GetStreamStatus")).outputActive, { timeout: 10_000 })
      .toBe(false);
    // The box keeps it: whoever comes later can put it back too.
    await page.reload();
    await password.fill(PASSWORD);
    await press("Put OBS back");
    await page.getByText("OBS is as it was before.").waitFor();
    expect((await service()).streamServiceSettings).toMatchObject(before);
    expect(faults).toEqual([]);
    await page.context().close();
  }, 120_000);
});
