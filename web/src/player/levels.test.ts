import { expect, test } from "vitest";
import { height } from "./levels";

test.each([
  [3, 1],
  [0, 1],
  [-6, 0.84],
  [-18, 0.56],
  [-60, 0],
  [-Infinity, 0],
])("%s dBFS stands at %s", (db, at) => expect(height(db)).toBeCloseTo(at));
