// The brook: one trunk of water that leaves the picture and splits into a branch per destination. Pure geometry; all
// lengths in CSS pixels, y downwards. Lanes and rows have the same order, so branches cannot cross.

/** How the way to one row is drawn. */
export type Bed = "flow" | "retrying" | "failed" | "dry" | "off";

export interface Lane {
  bed: Bed;
  /** What flows, or would flow if the row were well, bit/s. */
  rate: number;
}

export interface Row extends Lane {
  /** Where the branch meets its row. */
  y: number;
}

/** Everything that is painted, as SVG paths. */
export interface Shapes {
  water: string[];
  ripples: string[];
  beds: { path: string; bed: Bed }[];
  gates: { x: number; y: number; width: number; height: number; bed: Bed | "shut" }[];
}

export interface Across {
  width: number;
  /** Upper and lower edge of the picture, between which the trunk leaves it. */
  picture: readonly [top: number, bottom: number];
  /** Nothing leaves the box: one gate right at the picture. */
  shut: boolean;
}

export interface Down {
  width: number;
  /** The lower edge of the strip that the lanes come from. */
  foot: number;
  shut: boolean;
}

type Point = readonly [x: number, y: number];

const WIDEST = 11;
const THINNEST = 2;
/** A rate that is drawn widest if no row has more, bit/s: a lone small stream should look small. */
const USUAL = 6_000_000;
const SAMPLES = 36;
/** What a branch keeps of its width at its row. */
const TAPER = 0.62;
const MARGIN = 44;

/** How wide each lane is; dry ones have no width. */
export function widths(lanes: readonly Lane[], scale: number): number[] {
  const top = Math.max(USUAL, ...lanes.filter(({ bed }) => bed === "flow").map(({ rate }) => rate));
  return lanes.map(({ bed, rate }) => {
    if (bed === "dry" || bed === "off" || rate <= 0) return 0;
    const part = bed === "flow" ? rate : 0.8 * rate;
    return Math.min(WIDEST, Math.max(THINNEST, (WIDEST * part) / top)) * scale;
  });
}

/** From the picture across to rows beside it. */
export function across(rows: readonly Row[], { width, picture, shut }: Across): Shapes {
  const shapes: Shapes = { water: [], ripples: [], beds: [], gates: [] };
  const wide = widths(rows, 1);
  const wet = wide.some((w) => w > 0);
  const gap = wet ? 1.5 : 0;
  const total = wide.reduce((sum, w) => sum + (w || gap), 0);
  const seen = rows.filter(({ bed }) => bed !== "off");
  const middle = mean((seen.length > 0 ? seen : rows).map(({ y }) => y));
  const y0 = clamp(middle, picture[0] + MARGIN, picture[1] - MARGIN);

  let at = y0 - total / 2;
  rows.forEach((row, index) => {
    const own = wide[index]!;
    const from = at + (own || gap) / 2;
    at += own || gap;
    const line = curve(from, row.y, width);
    if (shut || own === 0) {
      shapes.beds.push({ path: path(shut ? line.slice(4) : line), bed: row.bed === "off" ? "off" : "dry" });
    } else if (row.bed === "flow") {
      shapes.water.push(ribbon(line, own, Math.max(THINNEST, own * TAPER)));
      shapes.ripples.push(path(line.slice(4 + 3 * shapes.ripples.length)));
    } else {
      const cut = line.length >> 1;
      shapes.water.push(ribbon(line.slice(0, cut), own, 0));
      shapes.beds.push({ path: path(line.slice(cut - 3)), bed: row.bed });
      shapes.gates.push({ x: width - 5, y: row.y - 21, width: 6, height: 42, bed: row.bed });
    }
  });

  const [upper, lower] = [y0 - total / 2, y0 + total / 2];
  if (shut) {
    shapes.water.push(`M-1 ${r(upper)}H20V${r(lower)}H-1Z`);
    shapes.gates.push({ x: 18, y: upper - 9, width: 5, height: total + 18, bed: "shut" });
  } else if (wet) {
    // One trunk without seams, its mouth a little wider.
    const m = Math.min(7, total / 4);
    shapes.water.push(
      `M-1 ${r(upper - m)}C5 ${r(upper - m)} 8 ${r(upper)} 18 ${r(upper)}H22V${r(lower)}H18C8 ${r(lower)} 5 ${r(lower + m)} -1 ${r(lower + m)}Z`,
    );
  }
  return shapes;
}

/** On a phone: down the edge, the first row's lane nearest to the rows, then a quarter turn. */
export function down(rows: readonly Row[], { width, foot, shut }: Down): Shapes {
  const shapes: Shapes = { water: [], ripples: [], beds: [], gates: [] };
  const wide = widths(rows, 0.5);
  const wet = wide.some((w) => w > 0);
  const gap = wet ? 1.5 : 0;
  const total = wide.reduce((sum, w) => sum + (w || gap), 0);
  let at = Math.min(width * 0.42 + total / 2, width - 4);
  rows.forEach((row, index) => {
    const own = wide[index]!;
    const from = at - (own || gap) / 2;
    at -= own || gap;
    const line = elbow(Math.max(1, from), foot, row.y, width);
    if (shut || own === 0) {
      shapes.beds.push({ path: path(line), bed: row.bed === "off" ? "off" : "dry" });
    } else if (row.bed === "flow") {
      shapes.water.push(ribbon(line, own, Math.max(1.2, own * TAPER)));
      shapes.ripples.push(path(line.slice(1)));
    } else {
      shapes.beds.push({ path: path(line), bed: row.bed });
      shapes.gates.push({ x: width - 3, y: row.y - 10, width: 4, height: 20, bed: row.bed });
    }
  });
  if (shut) shapes.gates.push({ x: 0, y: foot + 3, width: width - 2, height: 4, bed: "shut" });
  return shapes;
}

/** An S with flat ends. x(t) is the same for every branch. */
function curve(y0: number, y1: number, width: number): Point[] {
  const [x0, x1] = [16, width - 8];
  const handle = (x1 - x0) * 0.6;
  const points: Point[] = [[-1, y0]];
  for (let i = 0; i <= SAMPLES; i++) {
    const s = i / SAMPLES;
    points.push([bezier(x0, x0 + handle, x1 - handle, x1, s), bezier(y0, y0, y1, y1, s)]);
  }
  points.push([width + 1, y1]);
  return points;
}

function elbow(x0: number, y0: number, y1: number, width: number): Point[] {
  const radius = Math.max(1, Math.min(20, y1 - y0));
  const points: Point[] = [[x0, y0]];
  for (let i = 0; i <= 12; i++) {
    const s = i / 12;
    points.push([
      bezier(x0, x0, x0 + (width - x0) * 0.45, width + 1, s),
      bezier(y1 - radius, y1 - radius * 0.3, y1, y1, s),
    ]);
  }
  return points;
}

/** The band along a line, its width going from `w0` to `w1`. */
function ribbon(line: readonly Point[], w0: number, w1: number): string {
  const left: Point[] = [];
  const right: Point[] = [];
  line.forEach(([x, y], index) => {
    const a = line[Math.max(0, index - 1)]!;
    const b = line[Math.min(line.length - 1, index + 1)]!;
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    const length = Math.hypot(dx, dy) || 1;
    const s = index / (line.length - 1);
    const half = (w0 + (w1 - w0) * s * s * (3 - 2 * s)) / 2;
    left.push([x - (dy / length) * half, y + (dx / length) * half]);
    right.unshift([x + (dy / length) * half, y - (dx / length) * half]);
  });
  return `${path([...left, ...right])}Z`;
}

function path(points: readonly Point[]): string {
  return `M${points.map(([x, y]) => `${r(x)} ${r(y)}`).join("L")}`;
}

function bezier(a: number, b: number, c: number, d: number, s: number): number {
  const u = 1 - s;
  return u * u * u * a + 3 * u * u * s * b + 3 * u * s * s * c + s * s * s * d;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0) / (numbers.length || 1);
}

function clamp(value: number, low: number, high: number): number {
  return low > high ? (low + high) / 2 : Math.min(Math.max(value, low), high);
}

function r(n: number): string {
  return n.toFixed(1);
}
