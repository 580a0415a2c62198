import { describe, expect, test } from "vitest";
import { across, down, type Row, widths } from "./geometry";

const row = (y: number, over: Partial<Row> = {}): Row => ({ y, bed: "flow", rate: 6_000_000, ...over });
const numbers = (path: string) => (path.match(/-?\d+\.\d/g) ?? []).map(Number);
const frame = { width: 100, picture: [0, 260] as const, shut: false };

describe("the brook", () => {
  test("a lane is as wide as its bitrate, within limits", () => {
    const lanes = [12e6, 6e6, 1e3, 0].map((rate) => ({ bed: "flow" as const, rate }));
    expect(widths(lanes, 1)).toEqual([11, 5.5, 2, 0]);
    expect(widths([{ bed: "off", rate: 6e6 }], 1)).toEqual([0]);
  });

  test("branches do not cross: at the same place the upper row's branch is above", () => {
    const shapes = across([row(20), row(120), row(220), row(420)], frame);
    const ripples = across([row(20), row(420)], frame).ripples.map(numbers);
    expect(shapes.ripples).toHaveLength(4);
    const [upper, lower] = ripples as [number[], number[]];
    for (let i = 1; i < lower.length; i += 2) expect(upper[i + 6] ?? 0).toBeLessThan(lower[i]!);
  });

  test("a broken branch ends half way and has a gate at its row", () => {
    const { water, gates, beds, ripples } = across([row(20), row(120, { bed: "retrying" })], frame);
    expect(ripples).toHaveLength(1);
    expect(Math.max(...numbers(water[1]!).filter((_, i) => i % 2 === 0))).toBeLessThan(60);
    expect(gates).toEqual([{ x: 95, y: 99, width: 6, height: 42, bed: "retrying" }]);
    expect(beds[0]?.bed).toBe("retrying");
  });

  test("the trunk leaves within the picture, also where the rows are far below it", () => {
    const { water } = across([row(900), row(1000)], frame);
    const trunk = numbers(water.at(-1)!);
    expect(trunk[0]).toBeLessThan(260 - 30);
  });

  test("a closed gate lets nothing through", () => {
    for (const shapes of [
      across([row(20)], { ...frame, shut: true }),
      down([row(90)], { width: 22, foot: 60, shut: true }),
    ]) {
      expect(shapes.ripples).toEqual([]);
      expect(shapes.gates.map(({ bed }) => bed)).toEqual(["shut"]);
    }
  });

  test("nothing is NaN, whatever the sizes", () => {
    for (const width of [0, 22, 100]) {
      const rows = [row(0), row(0, { rate: 0 }), row(5, { bed: "failed" }), row(-4, { bed: "off" })];
      const text = JSON.stringify([
        across(rows, { width, picture: [0, 0], shut: false }),
        down(rows, { width, foot: 0, shut: false }),
        across([], { width, picture: [0, 10], shut: false }),
      ]);
      expect(text).not.toMatch(/NaN|null/);
    }
  });
});
