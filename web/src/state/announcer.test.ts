import { expect, test } from "vitest";
import { Announcer } from "./announcer";

const kick = (state: string) => ({ kick: [state, `Kick: ${state}.`] as const });

test("what is there at first is not announced, a change is, once", () => {
  const announcer = new Announcer();
  expect(announcer.note(0, kick("Live"))).toBeNull();
  expect(announcer.note(1000, kick("Retrying"))).toBe("Kick: Retrying.");
  expect(announcer.note(2000, kick("Retrying"))).toBeNull();
  expect(announcer.note(9000, kick("Retrying"))).toBeNull();
});

test("at most one announcement in five seconds, of all that has changed by then", () => {
  const announcer = new Announcer();
  const both = (a: string, b: string) => ({ ...kick(a), club: [b, `Club: ${b}.`] as const });
  announcer.note(0, both("Live", "Live"));
  expect(announcer.note(1000, both("Slow", "Live"))).toBe("Kick: Slow.");
  expect(announcer.note(2000, both("Retrying", "Live"))).toBeNull();
  expect(announcer.note(3000, both("Failed", "Off"))).toBeNull();
  expect(announcer.note(6000, both("Failed", "Off"))).toBe("Kick: Failed. Club: Off.");
});

test("what has changed back meanwhile is not spoken of", () => {
  const announcer = new Announcer();
  announcer.note(0, kick("Live"));
  expect(announcer.note(1000, kick("Slow"))).toBe("Kick: Slow.");
  announcer.note(2000, kick("Live"));
  announcer.note(3000, kick("Slow"));
  expect(announcer.note(9000, kick("Slow"))).toBeNull();
});

test("words that only count on are no change", () => {
  const announcer = new Announcer();
  announcer.note(0, { head: ["lost", "OBS stopped 1 s ago."] });
  expect(announcer.note(6000, { head: ["lost", "OBS stopped 7 s ago."] })).toBeNull();
});

test("what is gone is forgotten", () => {
  const announcer = new Announcer();
  announcer.note(0, kick("Live"));
  announcer.note(1000, kick("Slow"));
  announcer.note(2000, kick("Failed"));
  expect(announcer.note(9000, {})).toBeNull();
});
