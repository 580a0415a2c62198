import { expect, test } from "vitest";
import { arcs } from "./ring";

test.each([1, 2, 3, 15, 16, 17, 64])("of %i parts each is a short piece of its own", (count) => {
  const all = arcs(Array.from({ length: count }, () => "good" as const));
  expect(new Set(all.map(({ path }) => path)).size).toBe(count);
  for (const { path } of all) {
    const [x1, y1, large, x2, y2] = path
      .match(/^M(\S+) (\S+)A17 17 0 (\d) 1 (\S+) (\S+)$/)!
      .slice(1)
      .map(Number);
    const angle = (x: number, y: number) => Math.atan2(y - 24, x - 24);
    const turn = (angle(x2!, y2!) - angle(x1!, y1!) + 4 * Math.PI) % (2 * Math.PI);
    expect(large).toBe(count === 1 ? 1 : 0);
    expect(turn).toBeLessThan((2 * Math.PI) / count);
    expect(turn).toBeGreaterThan(0);
  }
});
