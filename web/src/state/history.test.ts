import { describe, expect, test } from "vitest";
import { History, SPAN_S, spark } from "./history";

describe("the last minute", () => {
  test("is a place per second, the newest last", () => {
    const history = new History();
    history.take(10_000, { a: 1 });
    history.take(11_000, { a: 2 });
    expect(history.of("a")).toHaveLength(SPAN_S);
    expect(history.of("a").slice(-3)).toEqual([null, 1, 2]);
  });

  test("leaves a second empty that was missed, and takes a later word for the same second", () => {
    const history = new History();
    history.take(10_000, { a: 1 });
    history.take(13_000, { a: 4 });
    history.take(13_900, { a: 5 });
    expect(history.of("a").slice(-4)).toEqual([1, null, null, 5]);
  });

  test("stays bounded over a long sleep, and forgets what is gone", () => {
    const history = new History();
    history.take(0, { a: 1, b: 1 });
    history.take(1e9, { a: 2 });
    expect(history.of("a")).toHaveLength(SPAN_S);
    expect(history.of("b")).toEqual([]);
    history.take(5000, { a: 3 });
    expect(history.of("a").filter((value) => value !== null)).toEqual([3]);
  });
});

describe("a spark", () => {
  test("has the target at the same height whatever the rate", () => {
    for (const target of [1e6, 9e6]) {
      const trail = [...new Array<null>(SPAN_S - 1).fill(null), target];
      expect(spark(trail, target, 120, 28).line).toBe("M120.0 5.6");
    }
  });

  test("breaks where nothing was measured, and fills what is missing below 85 %", () => {
    const trail = [6, 6, null, 1, 1, ...new Array<number>(55).fill(6)].map((n) => (n === null ? null : n * 1e6));
    const { line, shortfall } = spark(trail, 6e6, 120, 28);
    expect(line.match(/M/g)).toHaveLength(2);
    expect(shortfall.match(/M/g)).toHaveLength(1);
  });

  test("measures by its own most where nothing is expected, and falls short of nothing", () => {
    expect(spark([null, null], 0, 120, 28)).toEqual({ line: "", area: "", shortfall: "" });
    const { line, shortfall } = spark([5, 0], 0, 120, 28);
    expect([line, shortfall]).toEqual(["M0.0 5.6L2.0 28.0", ""]);
  });
});
