/** What was measured at equal distances, the oldest first; `null` where nothing was. */
export type Series = readonly (number | null)[];

/** A line through what was measured, in `width` × `height`, from 0 to `top`; broken where nothing was measured. */
export function linePath(series: Series, top: number, width: number, height: number): string {
  const step = width / Math.max(1, series.length - 1);
  let path = "";
  let open = false;
  series.forEach((value, index) => {
    if (value === null) {
      open = false;
      return;
    }
    const y = height - (top > 0 ? Math.min(1, value / top) * height : 0);
    const at = `${(index * step).toFixed(1)} ${y.toFixed(1)}`;
    path += open ? `L${at}` : `M${at}h0.1`;
    open = true;
  });
  return path;
}

/** What lies below that line, a piece for each stretch without gaps. */
export function areaPath(series: Series, top: number, width: number, height: number): string {
  return linePath(series, top, width, height)
    .split(/(?=M)/)
    .filter((piece) => piece.includes("L"))
    .map((piece) => {
      const points = piece.slice(1).replace("h0.1", "").split("L");
      const x = (point: string | undefined) => point?.split(" ")[0] ?? "0";
      return `M${x(points[0])} ${height}L${points.join("L")}L${x(points.at(-1))} ${height}Z`;
    })
    .join("");
}

/** Puts what is missing to `length` before it, as not measured. */
export function fromTheRight(series: Series, length: number): Series {
  return [...new Array<null>(Math.max(0, length - series.length)).fill(null), ...series];
}

/** Which values to ask for, and which of them to show. */
export interface Wanted {
  stepS: 1 | 10;
  /** The newest so many. */
  limit: number;
  /** Of them, those from … to …, ms; `null`: all. */
  stretch: readonly [from: number, to: number] | null;
}

/** Two minutes, ms. */
const AROUND_MS = 120_000;
const SECONDS_KEPT = 300;
const TENS_KEPT = 8640;

/** What shows two minutes before and after a moment, as fine as it is kept; `null` where nothing is kept any more. */
export function around(moment: number, now: number): Wanted | null {
  const [from, to] = [moment - AROUND_MS, moment + AROUND_MS];
  const backS = (now - from) / 1000;
  if ((now - moment) / 1000 > TENS_KEPT * 10) return null;
  const [stepS, kept] = backS < SECONDS_KEPT ? ([1, SECONDS_KEPT] as const) : ([10, TENS_KEPT] as const);
  return { stepS, limit: Math.min(kept, Math.ceil(backS / stepS) + 1), stretch: [from, to] };
}

/** Of a series that ends at `until` its part in a stretch, and when that ends; what was before its first value is not measured. */
export function part(series: Series, until: number, stepMs: number, [from, to]: readonly [number, number]) {
  const after = Math.max(0, Math.floor((until - to) / stepMs));
  const length = Math.max(0, Math.ceil((until - from) / stepMs) + 1);
  return {
    series: fromTheRight(series, length).slice(-length, after > 0 ? -after : undefined),
    until: until - after * stepMs,
  };
}

/** At most `most` of `count` places, as evenly as they go: the first, the last and some between, none of them twice. */
export function spread(count: number, most: number): number[] {
  const length = Math.min(most, count);
  return Array.from({ length }, (_, n) => Math.round((n * (count - 1)) / Math.max(1, length - 1)));
}

export function lowest(series: Series): number | null {
  return series.reduce<number | null>(
    (low, one) => (one === null ? low : low === null ? one : Math.min(low, one)),
    null,
  );
}

export function highest(series: Series): number | null {
  return series.reduce<number | null>(
    (top, one) => (one === null ? top : top === null ? one : Math.max(top, one)),
    null,
  );
}
