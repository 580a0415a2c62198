import { describe, expect, test } from "vitest";
import type { Destination } from "../api/types";
import { droppedPercent, lastStateWord, remedies, stateWord } from "./destination";
import { destination, known, NOW, status } from "./fixtures";

const place = (over: Parameters<typeof destination>[0]) => known(status({ a: destination(over) })).places[0]!;

describe("the state in words", () => {
  test.each([
    [{ state: "off", enabled: false }, "Off", "quiet"],
    [{ state: "waiting" }, "Waiting", "quiet"],
    [{ state: "connecting" }, "Connecting", "quiet"],
    [{ state: "live" }, "Live", "good"],
    [{ state: "slow" }, "Slow", "warn"],
    [{ state: "retrying", nextTryAt: "2026-11-21T20:46:19.100Z" }, "Retrying in 8 s", "warn"],
    [{ state: "retrying", nextTryAt: "2026-11-21T20:46:11Z" }, "Retrying", "warn"],
    [{ state: "retrying" }, "Retrying", "warn"],
    [{ state: "failed" }, "Failed", "bad"],
  ] as const)("%j is %s", (over, word, tone) => expect(stateWord(place(over), NOW)).toMatchObject({ word, tone }));
});

test("what is not known any more is said as past", () => {
  expect(lastStateWord(place({ state: "live" }))).toMatchObject({ word: "Was live", tone: "quiet" });
  expect(lastStateWord(place({ state: "failed" }))).toMatchObject({ word: "Failed", tone: "quiet" });
});

describe("what to press", () => {
  const helped = (code: string, state: "failed" | "retrying" | "slow" = "failed") =>
    remedies(place({ state, reason: { code: code as "bad_key", sentence: "…" } }));

  test("the likeliest help comes first", () => {
    expect(helped("bad_key")[0]).toBe("key");
    expect(helped("address_not_allowed")[0]).toBe("settings");
    expect(helped("timeout", "retrying")).toEqual(["retry"]);
    expect(helped("a_code_of_tomorrow", "retrying")).toEqual(["retry"]);
  });

  test("nothing is offered where a press does nothing", () => {
    expect(helped("too_slow", "slow")).toEqual([]);
    expect(helped("not_started", "retrying")).not.toContain("page");
  });
});

test("dropped frames in percent", () => {
  expect(droppedPercent(destination({ framesSent: 0, framesDropped: 0 }))).toBe(0);
  expect(droppedPercent(destination({ framesSent: 95, framesDropped: 5 }))).toBe(5);
});

test("rows keep their set order, new ones come last", () => {
  const settings = [
    { id: "b", position: 1 },
    { id: "a", position: 2 },
  ] as Destination[];
  const all = known(status({ a: destination(), b: destination(), c: destination() }), settings);
  expect(all.places.map((one) => one.id)).toEqual(["b", "a", "c"]);
});
