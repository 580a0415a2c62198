/** How long a spark looks back, s. */
export const SPAN_S = 60;

/** What was measured of one row, a place per second, the newest last; `null` where nothing was measured. */
export type Trail = readonly (number | null)[];

/** The last minute of every row's bitrate, as this page has seen it. */
export class History {
  readonly #trails = new Map<string, { trail: (number | null)[]; at: number }>();

  /** Takes what was measured in one second, named by the box's own time, ms. A second that was missed stays empty. */
  take(at: number, measured: Readonly<Record<string, number | null | undefined>>): void {
    const second = Math.floor(at / 1000);
    for (const [id, value] of Object.entries(measured)) {
      const known = this.#trails.get(id) ?? { trail: new Array<number | null>(SPAN_S).fill(null), at: second - 1 };
      const missed = second - known.at;
      if (missed < 0) known.trail.fill(null);
      else known.trail.push(...new Array<null>(Math.min(missed, SPAN_S)).fill(null));
      known.trail.splice(0, known.trail.length - SPAN_S);
      known.trail[SPAN_S - 1] = value ?? null;
      known.at = second;
      this.#trails.set(id, known);
    }
    for (const id of this.#trails.keys()) if (!(id in measured)) this.#trails.delete(id);
  }

  /** A copy, so that a view sees that it is new. */
  of(id: string): Trail {
    return [...(this.#trails.get(id)?.trail ?? [])];
  }

  clear(): void {
    this.#trails.clear();
  }
}

export interface Spark {
  /** The measured line, one subpath per stretch without gaps. */
  line: string;
  /** Below the line. */
  area: string;
  /** Between the line and the target where less than 85 % arrives. */
  shortfall: string;
}

/** The height of the target: the same in every row, so that rows can be compared. */
export const TARGET_AT = 0.8;
const SHORT = 0.85;

/** Draws a trail into `width` × `height`, from 0 to 1.25 × the target. */
export function spark(trail: Trail, target: number, width: number, height: number): Spark {
  const x = (index: number) => ((index / (SPAN_S - 1)) * width).toFixed(1);
  const y = (value: number) => (height - Math.min(1, (TARGET_AT * value) / target) * height).toFixed(1);
  const result: Spark = { line: "", area: "", shortfall: "" };
  // Nothing is expected while nothing comes in: then the most of the last minute is the measure.
  const expected = target;
  target ||= Math.max(0, ...trail.map((value) => value ?? 0));
  if (target <= 0) return result;
  for (const part of stretches(trail, (value) => value !== null)) {
    const points = part.map(([index, value]) => `${x(index)} ${y(value)}`);
    const [first, last] = [x(part[0]![0]), x(part.at(-1)![0])];
    result.line += `M${points.join("L")}`;
    result.area += `M${first} ${height}L${points.join("L")}L${last} ${height}Z`;
  }
  for (const part of stretches(trail, (value) => value !== null && value < SHORT * expected)) {
    const points = part.map(([index, value]) => `${x(index)} ${y(value)}`);
    const [first, last] = [x(part[0]![0]), x(part.at(-1)![0])];
    result.shortfall += `M${first} ${y(target)}L${points.join("L")}L${last} ${y(target)}Z`;
  }
  return result;
}

/** The stretches of neighbours that pass, each with its places. */
function stretches(trail: Trail, passes: (value: number | null) => boolean): [index: number, value: number][][] {
  const found: [number, number][][] = [];
  let open: [number, number][] | null = null;
  trail.forEach((value, index) => {
    if (!passes(value)) {
      open = null;
    } else {
      if (open === null) found.push((open = []));
      open.push([index, value ?? 0]);
    }
  });
  return found;
}
