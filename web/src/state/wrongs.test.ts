import { expect, test } from "vitest";
import { destination, input, status } from "../words/fixtures";
import { wrongs } from "./wrongs";

test("names what is wrong, and nothing that mends or waits", () => {
  const all = status(
    { a: destination({ state: "retrying" }), b: destination({ state: "slow" }), c: destination({ state: "waiting" }) },
    { inputs: { main: input({ alarms: [{ code: "silent", since: "2026-11-21T20:45:30Z" }] }) } },
  );
  expect(wrongs(all, true)).toEqual(["silent main", "a"]);
  expect(wrongs(status({}, { inputs: { main: input({ state: "lost" }) } }), true)).toEqual(["lost main"]);
  expect(wrongs(all, false)).toEqual(["away"]);
  expect(wrongs(null, true)).toEqual([]);
});
