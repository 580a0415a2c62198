import type { Figures } from "../api/types";

/** The most that all destinations together took at one time, bit/s; 0 where nothing was measured. */
export function mostTogether({ destinations }: Pick<Figures, "destinations">): number {
  const all = Object.values(destinations).map(({ bitrateBps }) => bitrateBps);
  const length = Math.max(0, ...all.map((series) => series.length));
  let most = 0;
  // All of them end now; one that was not there from the start is shorter.
  for (let back = 1; back <= length; back++) {
    most = Math.max(
      most,
      all.reduce((sum, series) => sum + (series.at(-back) ?? 0), 0),
    );
  }
  return most;
}
