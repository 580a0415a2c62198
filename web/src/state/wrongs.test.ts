import { expect, test } from "vitest";
import { destination, input, status } from "../words/fixtures";
import { wrongs } from "./wrongs";

const names = (...args: Parameters<typeof wrongs>) => wrongs(...args).map(({ name }) => name);

test("names what is wrong, and nothing that mends or waits", () => {
  const since = "2026-11-21T20:45:30Z";
  const all = status(
    {
      a: destination({ state: "retrying" }),
      b: destination({ state: "slow" }),
      c: destination({ state: "waiting" }),
      d: destination({ state: "failed" }),
    },
    {
      inputs: { main: input({ alarms: [{ code: "silent", since }] }) },
      board: { alarms: [{ code: "hot", since }] },
    },
  );
  expect(names(all, true)).toEqual([
    "picture_and_sound main silent",
    "destination_trouble a",
    "destination_failed d",
    "box_trouble hot",
  ]);
  expect(names(status({}, { inputs: { main: input({ state: "lost" }) } }), true)).toEqual(["stream_lost main"]);
  expect(names(all, false)).toEqual(["away"]);
  expect(names(null, true)).toEqual([]);
});
