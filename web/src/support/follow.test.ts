import { expect, test } from "vitest";
import { follow } from "./follow";

const ids = (...all: number[]) => all.map((id) => ({ id }));

test("what is new comes before what is known, and no more than fits", () => {
  expect(follow(ids(3, 2, 1), ids(5, 4, 3, 2), 4)).toEqual(ids(5, 4, 3, 2));
  expect(follow(ids(3, 2, 1), ids(3, 2), 10)).toEqual(ids(3, 2, 1));
});

test("a hole and another run of the box begin anew", () => {
  expect(follow(ids(3, 2), ids(9, 8), 10)).toEqual(ids(9, 8));
  expect(follow(ids(30, 29), ids(2, 1), 10)).toEqual(ids(2, 1));
  expect(follow([], ids(2, 1), 10)).toEqual(ids(2, 1));
});
