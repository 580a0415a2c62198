import { expect, test } from "vitest";
import { areaPath, fromTheRight, highest, linePath, lowest, spread } from "./lanes";

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
