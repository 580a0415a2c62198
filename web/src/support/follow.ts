/**
 * What is shown of a log after the newest entries have come: those known and those new, the newest first, at most `most`.
 * Ids begin anew when the box is restarted; then what was known is of another run.
 */
export function follow<E extends { id: number }>(known: readonly E[], newest: readonly E[], most: number): E[] {
  const [last] = known;
  const [first] = newest;
  if (!last || !first || first.id < last.id) return newest.slice(0, most);
  const fresh = newest.filter((one) => one.id > last.id);
  // More came than was asked for: between the two there would be a hole.
  if (fresh.length === newest.length) return newest.slice(0, most);
  return [...fresh, ...known].slice(0, most);
}
