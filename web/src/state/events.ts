import type { BoxEvent } from "../api/types";

/** Whether the newest events go on from those known: a full batch that shares none with them may leave a gap. */
export function joins(newest: readonly BoxEvent[], known: readonly BoxEvent[], limit: number): boolean {
  const ids = new Set(known.map((event) => event.id));
  return newest.length < limit || newest.some((event) => ids.has(event.id));
}
