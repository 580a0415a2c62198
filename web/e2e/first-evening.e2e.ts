import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { inspect, launch, openPage, pasted } from "./browser";
import { Publisher } from "./publisher";
import { OWNER, Stage } from "./stage";

// A person's first evening with a box, in a real browser against the real program: what they press and what they read.

const PASSWORD = OWNER.password;
const stage = new Stage();
const { box, peer } = stage;
let browser: Browser;
let page: Page;
let faults: string[];
/** Secrets that no screen may show unless it is asked to. */
const { secrets } = stage;

const row = (name: string) =>
  page.locator("li[id^=row-]").filter({ has: page.getByRole("heading", { name, exact: true }) });
const headline = () => page.getByRole("heading", { level: 1 });
const button = (name: string | RegExp) => page.getByRole("button", { name, exact: typeof name === "string" });
const field = (name: string) => page.getByLabel(name, { exact: true });
const go = (name: string) => page.getByRole("navigation").getByRole("link", { name }).click();
const says = async (pattern: RegExp, ms = 8000) =>
  expect.poll(() => headline().innerText(), { timeout: ms }).toMatch(pattern);

beforeAll(async () => {
  [browser] = await Promise.all([launch(), stage.start()]);
  secrets.push(await peer.key());
  ({ page, faults } = await openPage(browser));
});

afterAll(async () => {
  await browser?.close();
  await stage.strike();
});

afterEach(async () => {
  expect(faults).toEqual([]);
  const seen = await page.evaluate(() => document.documentElement.outerHTML);
  for (const secret of secrets) expect(seen.includes(secret), "a secret is on the page").toBe(false);
});

describe("set-up", () => {
  test("an unclaimed box leads to the set-up, wherever one comes in", async () => {
    await page.goto(`http://${box.http}/input`);
    await says(/^Welcome to your Brookbox/);
    expect(new URL(page.url()).pathname).toBe("/setup");
    await inspect(page, "setup-language");
    await button("English").click();
    await says(/^Make this box yours/);
    await inspect(page, "setup-claim");
  });

  test("the keyboard is enough to claim it", async () => {
    await field("Your name").fill("mara");
    await field("Password").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await says(/^What should this box be called/);
    expect(new URL(page.url()).pathname).toBe("/setup/name");
    await box.signIn("mara", PASSWORD);
    secrets.push(await box.key());
  });

  test("what the box does not take is said at the field, and what was typed stays", async () => {
    await field("Name of the box").fill("-river-");
    await button("Next").click();
    await page.getByText("letter or digit at both ends").waitFor();
    expect(await field("Name of the box").getAttribute("aria-invalid")).toBe("true");
    expect(await field("Name of the box").inputValue()).toBe("-river-");
    await inspect(page, "setup-name-refused");
    await field("Name of the box").fill("river-street");
    await page.keyboard.press("Enter");
    await says(/^(Connected by cable|How the box is connected)/);
    await inspect(page, "setup-network");
    await page.getByRole("link", { name: "Next" }).click();
    await says(/^This box is ready/);
    await inspect(page, "setup-check");
  });

  test("every other step can be skipped, and Back goes back", async () => {
    await page.getByRole("link", { name: "Next" }).click();
    await says(/^Where should the stream go first/);
    await inspect(page, "setup-destination");
    await page.goBack();
    await says(/^This box is ready/);
    await page.goForward();
    await page.getByRole("link", { name: "Skip this step" }).click();
    await says(/^Point OBS at this box/);
    await inspect(page, "setup-obs");
    // OBS sits on another computer, or does not run here: either is said in words.
    await button("Set up OBS").click();
    await page
      .getByRole("alert")
      .filter({ hasText: /OBS (is set up only|does not answer)/ })
      .waitFor();
    await page.getByRole("tab", { name: "Phone or camera" }).click();
    await page.getByRole("img", { name: /Code with the address/ }).waitFor();
    await inspect(page, "setup-phone");
    await page.goto(`http://${box.http}/setup/live`);
    await says(/^Add a place to stream to/);
    await inspect(page, "setup-live");
    await page.getByRole("link", { name: "Done" }).click();
    await go("Input");
    await says(/^Nobody is sending/);
  });
});

describe("where to publish", () => {
  test("server and key are copied, the key while it is hidden", async () => {
    await page.getByRole("group", { name: "Server" }).getByRole("button").click();
    await page.getByText("Copied").waitFor();
    expect(await pasted(page)).toBe(`rtmp://${box.rtmp}/live`);
    await page.getByRole("group", { name: "Stream key" }).getByRole("button", { name: /Copy/ }).click();
    await expect.poll(() => pasted(page)).toBe(await box.key());
    await inspect(page, "input-empty");
  });

  test("the key shows itself for ten seconds", async () => {
    const key = await box.key();
    await button("Show 10 s").click();
    await page.getByText(key).waitFor();
    await page.getByText(key).waitFor({ state: "detached", timeout: 12_000 });
    await button("Show 10 s").waitFor();
  });

  test("over plain http under the box's own name copying works too", async () => {
    const { page: other, faults: itsFaults } = await openPage(browser);
    await other.goto(`http://river-street.local:${box.port}/`);
    expect(await other.evaluate(() => window.isSecureContext)).toBe(false);
    await other.getByLabel("Your name").fill("mara");
    await other.getByLabel("Password", { exact: true }).fill(PASSWORD);
    await inspect(other, "sign-in");
    await other.keyboard.press("Enter");
    const copyKey = other.getByRole("group", { name: "Stream key" }).getByRole("button", { name: /Copy/ });
    await copyKey.click();
    await other.getByText("Copied").waitFor();
    expect(await pasted(other)).toBe(await box.key());
    expect(itsFaults).toEqual([]);
    await other.context().close();
  });

  test("an old sign-in is asked for the password before it sees the key", async () => {
    let asked = false;
    await page.route("**/inputs/main/key", async (route) => {
      if (asked) return route.fallback();
      asked = true;
      const problem = {
        type: "about:blank",
        title: "Enter your password again first.",
        status: 403,
        code: "password_needed",
      };
      await route.fulfill({ status: 403, contentType: "application/problem+json", body: JSON.stringify(problem) });
    });
    await button("Show 10 s").click();
    await page.getByRole("dialog").waitFor();
    await inspect(page, "password-again");
    await page.getByRole("dialog").getByLabel("Password", { exact: true }).fill("wrong, this one");
    await button("Go on").click();
    await page.getByText(/password is wrong/).waitFor();
    await page.getByRole("dialog").getByLabel("Password", { exact: true }).fill(PASSWORD);
    await button("Go on").click();
    await button(/^Hide/).waitFor();
    await button(/^Hide/).click();
    await page.unroute("**/inputs/main/key");
  });
});

describe("destinations", () => {
  test("an empty list is one sentence and one button", async () => {
    await go("Destinations");
    await says(/^Add a place to stream to/);
    await inspect(page, "destinations-empty");
    await page.getByRole("link", { name: "Add a destination" }).click();
    await inspect(page, "destination-new");
  });

  test("a wrong address is said at its field, and nothing typed is lost", async () => {
    await field("Name").fill("Club");
    await field("Server").fill("http://192.0.2.7/app");
    await field("Stream key").fill("not-the-key-of-the-peer");
    await button("Save").click();
    await expect.poll(() => field("Server").getAttribute("aria-invalid")).toBe("true");
    expect(await field("Stream key").inputValue()).toBe("not-the-key-of-the-peer");
    await inspect(page, "destination-refused");
  });

  test("an address at home needs a word of its own", async () => {
    await field("Server").fill(`rtmp://${peer.rtmp}/live`);
    await button("Save").click();
    await expect.poll(() => field("Server").getAttribute("aria-invalid")).toBe("true");
    await field("Stream key").fill(await peer.key());
    await field("This server is in my own network").check();
    await button("Save").click();
    await says(/^1 place, 1 switched on/);
  });

  test("address and key pasted together are sorted into their fields", async () => {
    await page.getByRole("link", { name: "Add" }).click();
    await field("Name").fill("Hangs up");
    await field("Stream key").fill(`${stage.hangsUp}/some-key`);
    await field("Name").focus();
    expect(await field("Server").inputValue()).toBe(stage.hangsUp);
    expect(await field("Stream key").inputValue()).toBe("some-key");
    await field("This server is in my own network").check();
    await field("Switch it on at once").uncheck();
    await button("Save").click();
    await says(/^2 places, 1 switched on/);
    await inspect(page, "destinations");
  });

  test("their order is changed by the keyboard and by dragging, and the box keeps it", async () => {
    const names = () => page.locator("main li h2").allInnerTexts();
    const stored = async () => {
      const all = await box.api<{ name: string; position: number }[]>("GET", "/destinations");
      // Places are told one by one: between two of them may be a tie.
      if (new Set(all.map(({ position }) => position)).size < all.length) return "on its way";
      return all.sort((a, b) => a.position - b.position).map(({ name }) => name);
    };
    await button("Move Hangs up").press("ArrowUp");
    await page.getByText("Hangs up is number 1 of 2 now.").waitFor();
    expect(await names()).toEqual(["Hangs up", "Club"]);
    await expect.poll(stored).toEqual(["Hangs up", "Club"]);
    expect(await button("Move Hangs up").evaluate((grip) => grip === document.activeElement)).toBe(true);
    const from = (await button("Move Hangs up").boundingBox())!;
    const to = (await button("Move Club").boundingBox())!;
    await page.mouse.move(from.x + 10, from.y + 10);
    await page.mouse.down();
    await page.mouse.move(to.x + 10, to.y + to.height, { steps: 5 });
    await page.mouse.up();
    await expect.poll(stored).toEqual(["Club", "Hangs up"]);
    await page.reload();
    await expect.poll(names, { timeout: 10_000 }).toEqual(["Club", "Hangs up"]);
  });
});

describe("on air", () => {
  test("ready, and then live with what was measured", async () => {
    await go("Live");
    await says(/^Ready\. Waiting for OBS/);
    await inspect(page, "live-ready");
    await stage.publish();
    await says(/^Live on 1$/, 15_000);
    await row("Club").getByText("Live", { exact: true }).waitFor();
    await expect
      .poll(
        () =>
          row("Club")
            .getByText(/[\d.]+.Mb\/s/)
            .count(),
        { timeout: 10_000 },
      )
      .toBeGreaterThan(0);
    expect(await page.title()).toMatch(/^● 1 Live/);
    expect((await peer.api<{ inputs: { main: { state: string } } }>("GET", "/status")).inputs.main.state).toBe(
      "receiving",
    );
    await inspect(page, "live-good");
  });

  test("the preview plays, near to now, and the meters move", async () => {
    await page.getByText(/^Preview, [\d.]+ s buffered$/).waitFor();
    const video = page.getByLabel("Preview", { exact: true });
    const at = () => video.evaluate((element) => (element as HTMLVideoElement).currentTime);
    const before = await at();
    await expect.poll(at).toBeGreaterThan(before);
    await page.locator("main").click({ position: { x: 300, y: 4 } });
    await page
      .getByRole("img", { name: /Sound level: left −\d+ dB/ })
      .or(page.getByRole("img", { name: /Sound level: left -\d+ dB/ }))
      .waitFor();
  });

  test("a link lets others watch, and ends when it is ended", async () => {
    await button("Let others watch").click();
    await inspect(page, "share");
    await page.getByRole("dialog").getByLabel("Title").fill("Family");
    await button("Make a link").click();
    await page.getByRole("img", { name: "Code with the link for Family" }).waitFor();
    await page.getByRole("dialog").getByRole("button", { name: /^Copy/ }).click();
    await page.getByText("Copied").waitFor();
    await inspect(page, "share-made");
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
    const { page: guest, faults: itsFaults } = await openPage(browser);
    await guest.goto(await pasted(page));
    await guest.getByRole("heading", { name: "Family" }).waitFor();
    expect(new URL(guest.url()).pathname).toBe("/watch/");
    await expect
      .poll(() => guest.locator("video").evaluate((video) => (video as HTMLVideoElement).currentTime))
      .toBeGreaterThan(0);
    await inspect(guest, "watch");
    expect(
      await guest.evaluate(() =>
        performance
          .getEntriesByType("resource")
          .map(({ name }) => name)
          .filter((name) => /\/(page|App)-/.test(name)),
      ),
    ).toEqual([]);
    await button("Let others watch").click();
    await button("End it").click();
    await guest.getByRole("heading", { name: "This link has ended." }).waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
    expect(itsFaults).toEqual([]);
    await guest.context().close();
  });

  test("a place that hangs up is said within five seconds, and the other one goes on", async () => {
    const before = await sent("Club");
    await row("Hangs up").getByRole("switch").click();
    await says(/^Live on 1 of 2$/, 5000);
    await row("Hangs up")
      .getByText(/Retrying/)
      .waitFor();
    const reason = (await destination("Hangs up")).reason?.sentence ?? "";
    expect(reason).not.toBe("");
    await row("Hangs up").getByText(reason).waitFor();
    await page.getByRole("status").filter({ hasText: reason }).waitFor();
    await inspect(page, "live-trouble");
    await row("Hangs up").getByRole("button", { name: "Try now" }).click();
    expect(await sent("Club")).toBeGreaterThan(before);
    await row("Hangs up").getByRole("switch").click();
    await row("Hangs up").getByText("Off").waitFor();
    await says(/^Live on 1$/);
  });

  test("a switch turns one place off and on", async () => {
    const club = row("Club").getByRole("switch", { name: "Send to Club" });
    await club.focus();
    await page.keyboard.press("Space");
    await row("Club").getByText("Off").waitFor();
    await says(/^Picture coming in, sent nowhere/);
    await page.keyboard.press("Space");
    await says(/^Live on 1$/);
    expect(await club.getAttribute("aria-checked")).toBe("true");
  });

  test("a wrong key is on the page, with what to press", async () => {
    await page.goto(`http://${box.http}/destinations`);
    await page.getByRole("link", { name: "Club" }).click();
    await button("Replace").click();
    await field("Stream key").fill("surely-a-wrong-key-1234");
    await page.getByText("Saving reconnects Club only").waitFor();
    await button("Save").click();
    await page.getByText("Saved.").waitFor();
    await go("Live");
    await row("Club").getByText("Failed").waitFor({ timeout: 15_000 });
    await inspect(page, "live-wrong-key");
    await row("Club").getByRole("link", { name: "Paste key" }).click();
    await button("Replace").click();
    await field("Stream key").fill(await peer.key());
    await button("Save").click();
    await page.getByText("Saved.").waitFor();
    await go("Live");
    await says(/^Live on 1$/, 10_000);
  });

  test("stopping asks once and keeps every switch; starting goes on", async () => {
    await button("Stop sending").click();
    await button("Yes, stop").click();
    await says(/^Ended\. [\d:]+ on [12] places?\./);
    expect((await destination("Club")).enabled).toBe(true);
    await inspect(page, "live-stopped");
    await button("Start sending").click();
    await says(/^Live on 1$/);
  });

  test("who sends and who was refused", async () => {
    await go("Input");
    await says(/^Receiving from FFmpeg/);
    const stranger = new Publisher(`rtmp://${box.rtmp}/live/this-key-is-wrong-0000`);
    await page.getByRole("region", { name: "Refused" }).getByText("Wrong key").waitFor({ timeout: 3000 });
    await stranger.stop("SIGKILL");
    await inspect(page, "input-receiving");
  });

  test("what happened can be read", async () => {
    await go("Diagnostics");
    await page.getByRole("listitem").filter({ hasText: "Hangs up" }).first().waitFor();
    await inspect(page, "diagnostics");
  });
});

describe("out of reach", () => {
  test("a frozen box is said within five seconds, and comes back by itself", async () => {
    await go("Live");
    await says(/^Live on 1$/);
    await page.evaluate(() => Object.assign(window, { sameDocument: true }));
    box.pause();
    await says(/^Can’t reach the box/, 5000);
    await row("Club").getByText("Was live").waitFor();
    expect(await row("Club").getByRole("switch").isDisabled()).toBe(true);
    await inspect(page, "live-unreachable");
    box.resume();
    await says(/^Live on 1$/, 10_000);
    expect(await page.evaluate(() => "sameDocument" in window)).toBe(true);
  });

  test("a killed box as well, with its sign-in and its destinations", async () => {
    await stage.publisher?.stop("SIGKILL");
    await box.stop("SIGKILL");
    await go("Input");
    await page.getByRole("alert").getByText("Can’t reach the box", { exact: true }).waitFor();
    await inspect(page, "input-unreachable");
    await box.start();
    await page.getByText("Can’t reach the box", { exact: true }).waitFor({ state: "detached", timeout: 15_000 });
    await go("Live");
    await says(/^Ready/);
    expect(await page.evaluate(() => "sameDocument" in window)).toBe(true);
  });
});

describe("the end of the evening", () => {
  test("deleting asks first", async () => {
    await go("Destinations");
    await page.getByRole("link", { name: "Hangs up" }).click();
    await button("Delete…").click();
    await inspect(page, "destination-delete");
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await says(/^1 place, 1 switched on/);
  });

  test("a new key ends the old one", async () => {
    await go("Input");
    const old = await box.key();
    await button("Make a new key…").click();
    await page.getByRole("dialog").getByRole("button", { name: "Make a new key" }).click();
    await page.getByText("There is a new key").waitFor();
    const fresh = await box.key();
    expect(fresh).not.toBe(old);
    secrets.push(fresh);
  });

  test("colours are chosen and kept", async () => {
    await go("river-street mara");
    await field("Dark").check();
    await page.reload();
    expect(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)).toBe("dark");
    await field("As the system").check();
    await inspect(page, "more");
  });

  test("whoever signs out has to sign in again, and gets where they wanted", async () => {
    await button("Sign out").click();
    await says(/^Sign in/);
    await page.goto(`http://${box.http}/destinations`);
    await says(/^Sign in/);
    await field("Your name").fill("mara");
    await field("Password").fill("this is not it");
    await button("Sign in").click();
    await page.getByText("The user name or the password is wrong").waitFor();
    expect(await field("Your name").inputValue()).toBe("mara");
    await field("Password").fill(PASSWORD);
    await button("Sign in").click();
    await says(/^1 place/);
    expect(new URL(page.url()).pathname).toBe("/destinations");
  });
});

interface DestinationLine {
  name: string;
  enabled: boolean;
  framesSent: number;
  reason: { sentence: string } | null;
}

async function destination(name: string): Promise<DestinationLine> {
  const { destinations } = await box.api<{ destinations: Record<string, DestinationLine> }>("GET", "/status");
  const found = Object.values(destinations).find((one) => one.name === name);
  if (!found) throw new Error(`no destination ${name}`);
  return found;
}

async function sent(name: string): Promise<number> {
  return (await destination(name)).framesSent;
}
