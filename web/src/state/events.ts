import type { BoxEvent } from "../api/types";

/** Whether the newest events go on from those known: a full batch that shares none with them may leave a gap. */
export function joins(newest: readonly BoxEvent[], known: readonly BoxEvent[], limit: number): boolean {
  const ids = new Set(known.map((event) => event.id));
  return newest.length < limit || newest.some((event) => ids.has(event.id));
}

/** The same thing several times over, said once; `event` is the newest of them. */
export interface Folded {
  event: BoxEvent;
  times: number;
  /** When it was first. */
  since: string;
}

/** Puts together what is said by the same sentence one after the other. */
export function fold(events: readonly BoxEvent[]): Folded[] {
  const folded: Folded[] = [];
  for (const event of events) {
    const last = folded.at(-1);
    if (last?.event.sentence === event.sentence) {
      last.times += 1;
      last.since = event.time;
    } else {
      folded.push({ event, times: 1, since: event.time });
    }
  }
  return folded;
}

/** A place that was away and is back. */
export interface Away {
  name: string;
  from: string;
  to: string;
}

/** The last time that a place was away and came back, as the events tell it, the newest first; `null` if none did. */
export function lastAway(events: readonly BoxEvent[]): Away | null {
  const oldestFirst = events.toReversed();
  const open = new Map<string, BoxEvent>();
  let last: Away | null = null;
  for (const event of oldestFirst) {
    const id = event.destination;
    if (!id) continue;
    if (event.code === "destination_retrying" || event.code === "destination_failed") {
      if (!open.has(id)) open.set(id, event);
    } else if (event.code === "destination_live") {
      const began = open.get(id);
      open.delete(id);
      if (began) last = { name: String(event.params["name"] ?? ""), from: began.time, to: event.time };
    } else if (event.code === "destination_ended" || event.code.startsWith("destination_switched")) {
      open.delete(id);
    }
  }
  return last;
}
