import { expect, test } from "vitest";
import { areaPath, around, fromTheRight, highest, linePath, lowest, part, spread } from "./lanes";

test("a gap in what was measured is a gap in the line, never a zero", () => {
  expect(linePath([1, 1, null, 1], 2, 30, 10)).toBe("M0.0 5.0h0.1L10.0 5.0M30.0 5.0h0.1");
  expect(areaPath([1, 1, null, 1], 2, 30, 10)).toBe("M0.0 10L0.0 5.0L10.0 5.0L10.0 10Z");
  expect(fromTheRight([1, null], 4)).toEqual([null, null, 1, null]);
});

test("nothing measured draws nothing and has no extremes", () => {
  expect(linePath([null, null], 5, 30, 10)).toBe("");
  expect(lowest([null])).toBeNull();
  expect(highest([])).toBeNull();
  expect([lowest([3, null, 0]), highest([3, null, 0])]).toEqual([0, 3]);
});

test("places are spread over few as over many, none of them twice", () => {
  expect(spread(0, 3)).toEqual([]);
  expect(spread(1, 3)).toEqual([0]);
  expect(spread(2, 3)).toEqual([0, 1]);
  expect(spread(5, 3)).toEqual([0, 2, 4]);
  expect(spread(1800, 4)).toEqual([0, 600, 1199, 1799]);
});

test("around a moment: by the second where that is kept, else by ten, and nothing after a day", () => {
  const now = 1_000_000_000_000;
  expect(around(now - 30_000, now)).toEqual({ stepS: 1, limit: 151, stretch: [now - 150_000, now + 90_000] });
  expect(around(now - 179_500, now)).toMatchObject({ stepS: 1, limit: 300 });
  expect(around(now - 600_000, now)).toMatchObject({ stepS: 10, limit: 73 });
  expect(around(now - 86_399_000, now)).toMatchObject({ stepS: 10, limit: 8640 });
  expect(around(now - 86_401_000, now)).toBeNull();
});

test("of a series the part around a moment, and before its first value nothing", () => {
  const series = Array.from({ length: 10 }, (_, n) => n);
  expect(part(series, 100_000, 10_000, [50_000, 80_000])).toEqual({ series: [4, 5, 6, 7], until: 80_000 });
  expect(part(series, 100_000, 10_000, [80_000, 120_000])).toEqual({ series: [7, 8, 9], until: 100_000 });
  expect(part(series, 100_000, 10_000, [-10_000, 20_000])).toEqual({ series: [null, null, 0, 1], until: 20_000 });
});
