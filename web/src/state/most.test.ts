import { expect, test } from "vitest";
import { mostTogether } from "./most";

const of = (...bitrateBps: (number | null)[]) => ({ bitrateBps, rttMs: [], queueMs: [], framesDropped: [] });

test("sums what was sent at the same time, from now backwards", () => {
  expect(mostTogether({ destinations: { a: of(9, 1, 2, null), b: of(5, 7) } })).toBe(9);
  expect(mostTogether({ destinations: { a: of(1, 6, 2), b: of(5, 7) } })).toBe(11);
  expect(mostTogether({ destinations: {} })).toBe(0);
});
