import { expect, test } from "vitest";
import { moved, renumbered } from "./order";

test("one is put elsewhere, and never beyond the ends", () => {
  expect(moved(["a", "b", "c"], 0, 2)).toEqual(["b", "c", "a"]);
  expect(moved(["a", "b", "c"], 2, 0)).toEqual(["c", "a", "b"]);
  expect(moved(["a", "b", "c"], 1, 9)).toEqual(["a", "c", "b"]);
  expect(moved(["a", "b", "c"], 1, -1)).toEqual(["b", "a", "c"]);
});

test("only those are told whose place changes", () => {
  const stored = new Map([
    ["a", 1],
    ["b", 2],
    ["c", 7],
  ]);
  expect(renumbered(["b", "a", "c"], (id) => stored.get(id))).toEqual([
    { id: "b", position: 1 },
    { id: "a", position: 2 },
    { id: "c", position: 3 },
  ]);
  expect(renumbered(["a", "b"], (id) => stored.get(id))).toEqual([]);
});
