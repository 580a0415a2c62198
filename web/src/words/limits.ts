import type { Tone } from "./destination";

/** Above which a number is amber, and red: the one table for whatever shows it. */
const LIMITS = {
  pingMs: [250, 600],
  queueMs: [2000, 5000],
  droppedPercent: [1, 5],
  lostPercent: [1, 5],
  fpsOffPercent: [2, Infinity],
  keyframeMs: [4000, 8000],
  bufferedS: [5, Infinity],
  uploadPercent: [80, 95],
  peakDbfs: [-1, Infinity],
} as const satisfies Record<string, readonly [amber: number, red: number]>;

type Measured = number | null | undefined;

/** The tone of a number; of one that was not measured none. */
export function judge(what: keyof typeof LIMITS, value: Measured): Tone {
  const [amber, red] = LIMITS[what];
  return tone(value != null && value > amber, value != null && value > red);
}

/** The tone of a row's bitrate by how much of what comes in arrives. */
export function toneOfBitrate(bps: Measured, inputBps: number): Tone {
  if (bps == null || inputBps <= 0) return "quiet";
  return tone(bps < 0.85 * inputBps, bps < 0.5 * inputBps);
}

/** The tone of the bytes that are free on the disk. */
export function toneOfDisk(free: Measured): Tone {
  return tone(free != null && free < 5e9, free != null && free < 1e9);
}

interface Heat {
  temperatureC?: Measured;
  throttleC?: Measured;
  throttled?: boolean | null;
  undervoltage?: boolean | null;
}

/** Amber within five degrees of where the processor is slowed down, red where it is; want of power slows it down too. */
export function toneOfHeat({ temperatureC, throttleC, throttled, undervoltage }: Heat): Tone {
  const left = temperatureC != null && throttleC != null ? throttleC - temperatureC : Infinity;
  return tone(left < 5, left <= 0 || (throttled === true && undervoltage !== true));
}

const USUAL = [15, 20, 24, 25, 30, 48, 50, 60, 90, 120];

/** How far a frame rate is from the nearest usual one, percent. */
export function fpsOff(fps: Measured): number | null {
  return fps ? Math.min(...USUAL.map((usual) => (100 * Math.abs(fps - usual)) / usual)) : null;
}

function tone(amber: boolean, red: boolean): Tone {
  return red ? "bad" : amber ? "warn" : "quiet";
}
