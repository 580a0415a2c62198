import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import { launch } from "./browser";
import { Stage } from "./stage";

const PATIENCE_MS = 10_000;

/** A page with the words that cases look for it by. */
export class Eyes {
  page!: Page;

  button(name: string | RegExp): Locator {
    return this.page.getByRole("button", { name, exact: typeof name === "string" });
  }

  get dialog(): Locator {
    return this.page.getByRole("dialog");
  }

  /** Waits until the screen's first sentence is this. */
  says(pattern: RegExp, timeout = PATIENCE_MS): Promise<void> {
    const sentence = () => this.page.getByRole("heading", { level: 1 }).innerText();
    return expect.poll(sentence, { timeout }).toMatch(pattern) as unknown as Promise<void>;
  }
}

/**
 * For all cases of a file: a claimed box with places, a stream, and one page of its owner, on which nothing may go wrong.
 * `picture` as in `Stage.publish`.
 */
export function evening(places: number, picture?: Parameters<Stage["publish"]>[0]): { stage: Stage; eyes: Eyes } {
  const [stage, eyes] = [new Stage(), new Eyes()];
  let browser: Browser | undefined;
  let faults: string[] = [];

  beforeAll(async () => {
    [browser] = await Promise.all([launch(), stage.start()]);
    await stage.claim();
    await stage.addPlaces(places);
    await stage.publish(picture);
    ({ page: eyes.page, faults } = await stage.visit(browser));
  });
  afterAll(async () => {
    await browser?.close();
    await stage.strike();
    expect(faults).toEqual([]);
  });
  return { stage, eyes };
}
