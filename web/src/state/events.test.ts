import { expect, test } from "vitest";
import type { BoxEvent } from "../api/types";
import { fold, joins, lastAway } from "./events";

const some = (...ids: number[]) => ids.map((id) => ({ id }) as BoxEvent);

test("events that came while nobody looked may leave a gap", () => {
  expect(joins(some(9, 8, 7), some(3, 2, 1), 3)).toBe(false);
  expect(joins(some(5, 4, 3), some(3, 2, 1), 3)).toBe(true);
  expect(joins(some(3, 2, 1), some(3, 2, 1), 3)).toBe(true);
  expect(joins(some(2, 1), some(), 3)).toBe(true);
  expect(joins(some(9, 8, 7), some(), 3)).toBe(false);
});

const told = (id: number, code: string, destination: string, time: string) =>
  ({
    id,
    code,
    destination,
    time,
    sentence: `${destination} ${code}`,
    params: { name: destination },
  }) as never as BoxEvent;

test("what repeats is said once, with how often and since when", () => {
  const events = [
    told(4, "x", "a", "20:04"),
    told(3, "x", "a", "20:03"),
    told(2, "y", "a", "20:02"),
    told(1, "x", "a", "20:01"),
  ];
  expect(fold(events).map(({ event, times, since }) => [event.id, times, since])).toEqual([
    [4, 2, "20:03"],
    [2, 1, "20:02"],
    [1, 1, "20:01"],
  ]);
});

test("a place was away from its first trouble until it was live again", () => {
  const back = told(5, "destination_live", "Kick", "20:49");
  const trouble = [
    told(4, "destination_retrying", "Kick", "20:47"),
    told(3, "destination_retrying", "Kick", "20:46"),
    told(2, "destination_live", "Kick", "20:00"),
  ];
  expect(lastAway([back, ...trouble])).toEqual({ name: "Kick", from: "20:46", to: "20:49" });
  expect(lastAway(trouble)).toBeNull();
  expect(lastAway([back, told(4, "destination_ended", "Kick", "20:48"), ...trouble])).toBeNull();
});
