import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launch, openPage } from "./browser";
import { Daemon } from "./daemon";
import { Publisher } from "./publisher";

// The whole set-up, from the first visit to "Live on 1", by mouse or finger and by the keyboard alone.

const PASSWORD = "three plain words";
const sizes = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
];
const ways = ["mouse", "keyboard"] as const;
// Each size and each way once; everything with everything in `make test-web`.
const runs = sizes.flatMap((size, i) =>
  ways.filter((_, j) => process.env["E2E_ALL"] || i === j).map((way) => ({ size, way })),
);

let browser: Browser;
const peer = new Daemon();

beforeAll(async () => {
  [browser] = await Promise.all([launch(), peer.start()]);
  await peer.claim();
});

afterAll(async () => {
  await browser?.close();
  await peer.remove();
});

describe.each(runs)("the set-up by $way at $size.width", ({ size, way }) => {
  test("from the first visit to live", async () => {
    const box = new Daemon();
    await box.start();
    const { page, faults } = await openPage(browser);
    let publisher: Publisher | undefined;
    try {
      await page.setViewportSize(size);
      const hand = way === "mouse" ? byMouse() : byKeyboard(page);
      const says = (pattern: RegExp, timeout = 10_000) =>
        expect.poll(() => page.getByRole("heading", { level: 1 }).innerText(), { timeout }).toMatch(pattern);

      await page.goto(`http://${box.http}/`);
      await says(/^Welcome/);
      await hand.press(page.getByRole("button", { name: "English" }));
      await says(/^Make this box yours/);
      await hand.type(page.getByLabel("Your name", { exact: true }), "mara");
      await hand.type(page.getByLabel("Password", { exact: true }), PASSWORD);
      await hand.press(page.getByRole("button", { name: "Claim this box" }));
      await says(/^What should this box be called/);
      await hand.press(page.getByRole("button", { name: "Next" }));
      await says(/^(Connected by cable|How the box is connected)/);
      await hand.press(page.getByRole("link", { name: "Next" }));
      await says(/^This box is ready/);
      await hand.press(page.getByRole("link", { name: "Next" }));

      await says(/^Where should the stream go first/);
      await hand.choose(page.getByRole("radio", { name: "Own or other server" }));
      await hand.type(page.getByLabel("Server", { exact: true }), `rtmp://${peer.rtmp}/live`);
      await hand.type(page.getByLabel("Stream key", { exact: true }), await peer.key());
      await hand.choose(page.getByRole("checkbox", { name: /own network/ }));
      await hand.press(page.getByRole("button", { name: "Add Own server" }));

      await says(/^Point OBS at this box/);
      await box.signIn("mara", PASSWORD);
      publisher = new Publisher(`rtmp://${box.rtmp}/live/${await box.key()}`);
      await says(/^There is the picture/, 15_000);
      await hand.press(page.getByRole("link", { name: "Looks right" }));
      await says(/^Live on 1$/, 15_000);
      await hand.press(page.getByRole("link", { name: "Done" }));
      await page.getByRole("navigation").waitFor();
      await says(/^Live on 1$/);
      expect(faults).toEqual([]);
    } finally {
      await publisher?.stop("SIGKILL");
      await page.context().close();
      await box.remove();
    }
  });
});

interface Hand {
  press(what: Locator): Promise<void>;
  choose(what: Locator): Promise<void>;
  type(what: Locator, text: string): Promise<void>;
}

function byMouse(): Hand {
  return {
    press: (what) => what.click(),
    choose: (what) => what.locator("xpath=ancestor::label").click(),
    type: (what, text) => what.fill(text),
  };
}

/** Nothing but keys: Tab until there, arrows among radio buttons, Space and Enter. */
function byKeyboard(page: Page): Hand {
  const reach = async (what: Locator) => {
    await what.waitFor();
    for (let presses = 0; presses < 80; presses++) {
      if (await what.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press("Tab");
    }
    throw new Error(`the keyboard does not reach ${what}`);
  };
  return {
    async press(what) {
      await reach(what);
      await page.keyboard.press("Enter");
    },
    async choose(what) {
      if ((await what.getAttribute("type")) === "radio") {
        await reach(page.getByRole("radio", { checked: true }));
        for (let presses = 0; presses < 20 && !(await what.isChecked()); presses++) {
          await page.keyboard.press("ArrowDown");
        }
      } else {
        await reach(what);
        await page.keyboard.press("Space");
      }
      expect(await what.isChecked()).toBe(true);
    },
    async type(what, text) {
      await reach(what);
      await page.keyboard.type(text);
    },
  };
}
