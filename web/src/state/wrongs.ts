import type { Status } from "../api/types";

/** Everything that is wrong now, each by a name of its own: what was not among them a moment ago is new. */
export function wrongs(status: Status | null, reachable: boolean): string[] {
  if (!reachable) return ["away"];
  if (!status) return [];
  const inputs = Object.entries(status.inputs).flatMap(([id, { state, alarms }]) => [
    ...(state === "lost" ? [`lost ${id}`] : []),
    ...alarms.map(({ code }) => `${code} ${id}`),
  ]);
  const places = Object.entries(status.destinations)
    .filter(([, { state }]) => state === "retrying" || state === "failed")
    .map(([id]) => id);
  return [...inputs, ...places];
}
