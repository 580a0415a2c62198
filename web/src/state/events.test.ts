import { expect, test } from "vitest";
import type { BoxEvent } from "../api/types";
import { joins } from "./events";

const some = (...ids: number[]) => ids.map((id) => ({ id }) as BoxEvent);

test("events that came while nobody looked may leave a gap", () => {
  expect(joins(some(9, 8, 7), some(3, 2, 1), 3)).toBe(false);
  expect(joins(some(5, 4, 3), some(3, 2, 1), 3)).toBe(true);
  expect(joins(some(3, 2, 1), some(3, 2, 1), 3)).toBe(true);
  expect(joins(some(2, 1), some(), 3)).toBe(true);
  expect(joins(some(9, 8, 7), some(), 3)).toBe(false);
});
