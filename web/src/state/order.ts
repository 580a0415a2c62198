/** `ids` with the one at `from` put to `to`. */
export function moved<T>(ids: readonly T[], from: number, to: number): T[] {
  const rest = ids.filter((_, index) => index !== from);
  const one = ids[from];
  if (one === undefined) return rest;
  rest.splice(Math.max(0, Math.min(to, rest.length)), 0, one);
  return rest;
}

/** Whose stored place has to change for this order; places count from 1. */
export function renumbered(
  ids: readonly string[],
  position: (id: string) => number | undefined,
): { id: string; position: number }[] {
  return ids.map((id, index) => ({ id, position: index + 1 })).filter((one) => position(one.id) !== one.position);
}
