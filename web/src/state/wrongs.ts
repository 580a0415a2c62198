import type { Status } from "../api/types";

/** What can go wrong, by the kinds of events that it belongs to; `away`: the box cannot be reached. */
export const WRONG_KINDS = [
  "away",
  "stream_lost",
  "picture_and_sound",
  "destination_failed",
  "destination_trouble",
  "box_trouble",
] as const;

export type WrongKind = (typeof WRONG_KINDS)[number];

export interface Wrong {
  kind: WrongKind;
  /** One of its own: what was not among them a moment ago is new. */
  name: string;
}

/** Everything that is wrong now. */
export function wrongs(status: Status | null, reachable: boolean): Wrong[] {
  const wrong = (kind: WrongKind, ...of: string[]): Wrong => ({ kind, name: [kind, ...of].join(" ") });
  if (!reachable) return [wrong("away")];
  if (!status) return [];
  const inputs = Object.entries(status.inputs).flatMap(([id, { state, alarms }]) => [
    ...(state === "lost" ? [wrong("stream_lost", id)] : []),
    ...alarms.map(({ code }) => wrong("picture_and_sound", id, code)),
  ]);
  const places = Object.entries(status.destinations).flatMap(([id, { state }]) => {
    if (state === "failed") return [wrong("destination_failed", id)];
    return state === "retrying" ? [wrong("destination_trouble", id)] : [];
  });
  return [...inputs, ...places, ...status.board.alarms.map(({ code }) => wrong("box_trouble", code))];
}
