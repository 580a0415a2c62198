import type { Tone } from "../words/destination";

/** What stands in the ring: on air, the box's own picture, a rehearsal, nothing, out of reach. */
export type Centre = "air" | "pause" | "gate" | "idle" | "away";

export interface Arc {
  tone: Tone;
  path: string;
}

const R = 17;
/** A part that is not well stands out of the ring. */
const OUT = 20.5;
/** Between neighbours, and at the seam of a lone part, rad; of many parts each gives up this share. */
const GAP = 0.4;
const GAP_SHARE = 0.4;

/** One part per destination that is on, clockwise in the order of the rows, on a 48 × 48 grid. */
export function arcs(parts: readonly Tone[]): Arc[] {
  return parts.map((tone, index) => {
    const radius = tone === "warn" || tone === "bad" ? OUT : R;
    const share = (2 * Math.PI) / parts.length;
    const gap = Math.min(GAP, GAP_SHARE * share);
    const angle = (n: number) => n * share - Math.PI / 2;
    const [from, to] = [angle(index) + gap / 2, angle(index + 1) - gap / 2];
    const point = (a: number) => `${(24 + radius * Math.cos(a)).toFixed(2)} ${(24 + radius * Math.sin(a)).toFixed(2)}`;
    const large = to - from > Math.PI ? 1 : 0;
    return { tone, path: `M${point(from)}A${radius} ${radius} 0 ${large} 1 ${point(to)}` };
  });
}

/** The drawing inside the ring, as filled subpaths. */
export const centres: Readonly<Record<Centre, string>> = {
  air: "M24 18a6 6 0 1 0 0 12 6 6 0 0 0 0-12z",
  idle: "M24 20.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z",
  pause: "M18.5 17h3.5v14h-3.5zM26 17h3.5v14H26z",
  gate: "M22.2 16h3.6v16h-3.6z",
  away: "M18.7 16.2 24 21.5l5.3-5.3 2.5 2.5-5.3 5.3 5.3 5.3-2.5 2.5-5.3-5.3-5.3 5.3-2.5-2.5 5.3-5.3-5.3-5.3z",
};

/** The same as a picture of its own for the tab, which knows no theme: colours that hold on light and dark. */
export function favicon(parts: readonly Tone[], centre: Centre): string {
  const colour: Record<Tone, string> = { good: "#1aa886", warn: "#e09a1a", bad: "#d9483b", quiet: "#76888a" };
  const worst = parts.includes("bad") ? "bad" : parts.includes("warn") ? "warn" : "good";
  const ring =
    parts.length === 0
      ? `<circle cx="24" cy="24" r="17" stroke="${colour.quiet}" stroke-width="3" stroke-dasharray="2 6.9"/>`
      : arcs(parts)
          .map(
            ({ tone, path }) =>
              `<path d="${path}" stroke="${colour[tone]}" stroke-width="${tone === "good" ? 7 : 5}"/>`,
          )
          .join("");
  const inside = centre === "away" ? colour.bad : centre === "air" ? colour[worst] : colour.quiet;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" fill="none">${ring}<path d="${centres[centre]}" fill="${inside}"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
