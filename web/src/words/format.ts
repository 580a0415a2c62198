import { locale } from "./i18n";

/** A number and its unit, apart, so that a view can set them differently. */
export interface Quantity {
  value: string;
  unit: string;
}

/** Stands where nothing was measured. */
export const UNKNOWN = "–";

type Measured = number | null | undefined;

/** Everything that `Intl` is asked for, made once for a locale. */
function make(of: string) {
  const time = { hour: "numeric", minute: "2-digit" } as const;
  const day = { day: "numeric", month: "short" } as const;
  const seconds = { second: "2-digit" } as const;
  return {
    of,
    whole: new Intl.NumberFormat(of, { maximumFractionDigits: 0 }),
    tenths: new Intl.NumberFormat(of, { minimumFractionDigits: 1, maximumFractionDigits: 1 }),
    hundredths: new Intl.NumberFormat(of, { maximumFractionDigits: 2 }),
    clock: new Intl.DateTimeFormat(of, time),
    clockSeconds: new Intl.DateTimeFormat(of, { ...time, ...seconds }),
    dayAndClock: new Intl.DateTimeFormat(of, { ...day, ...time }),
    dayAndClockSeconds: new Intl.DateTimeFormat(of, { ...day, ...time, ...seconds }),
  };
}

let made: ReturnType<typeof make> | undefined;

function intl() {
  if (made?.of !== locale) made = make(locale);
  return made;
}

/** bit/s as Mb/s from 1 upwards, else kb/s. */
export function bitrate(bps: Measured): Quantity {
  if (!known(bps)) return { value: UNKNOWN, unit: "" };
  // 999,950 bit/s would round to 1,000 kb/s.
  if (bps >= 999_500) return { value: intl().tenths.format(bps / 1e6), unit: "Mb/s" };
  return { value: intl().whole.format(bps / 1000), unit: "kb/s" };
}

export function milliseconds(ms: Measured): Quantity {
  return known(ms) ? { value: intl().whole.format(ms), unit: "ms" } : { value: UNKNOWN, unit: "" };
}

/** Milliseconds as seconds with one decimal. */
export function seconds(ms: Measured): Quantity {
  return known(ms) ? { value: intl().tenths.format(ms / 1000), unit: "s" } : { value: UNKNOWN, unit: "" };
}

/** Bytes as `48 GB`, as disks are sold. */
export function size(bytes: number): string {
  const [unit, divisor] = bytes >= 1e9 ? ["GB", 1e9] : bytes >= 1e6 ? ["MB", 1e6] : ["kB", 1e3];
  return `${(bytes / divisor < 10 ? intl().tenths : intl().whole).format(bytes / divisor)} ${unit}`;
}

/** A sound level against full scale. */
export function decibels(db: Measured): Quantity {
  return known(db) ? { value: intl().whole.format(db).replace("-", "−"), unit: "dB" } : { value: UNKNOWN, unit: "" };
}

export function count(n: Measured): Quantity {
  return { value: known(n) ? intl().whole.format(n) : UNKNOWN, unit: "" };
}

export function decimal(n: number): string {
  return intl().hundredths.format(n);
}

/** A span as `1:42:07`, below an hour as `42:07`. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number) => String(n).padStart(2, "0");
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

/** How long ago something was: `12 s`, from a minute on `1:02`. */
export function ago(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  return s >= 60 ? duration(ms) : `${intl().whole.format(s)}\u00a0s`;
}

/** A long span in its largest units: `3 d 4 h`, `12 min`. */
export function span(seconds: number): string {
  const [d, h, m] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  const say = (value: number, unit: "day" | "hour" | "minute") =>
    new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short" }).format(value);
  if (d > 0) return `${say(d, "day")} ${say(h, "hour")}`;
  return h > 0 ? `${say(h, "hour")} ${say(m, "minute")}` : say(m, "minute");
}

/** `20:46`, with the day where it is not today. */
export function time(at: string | number, now: number): string {
  const date = new Date(at);
  return sameDay(date, new Date(now)) ? intl().clock.format(date) : intl().dayAndClock.format(date);
}

/** `20:46:12`, with the day where it is not today. */
export function exactTime(at: string | number, now: number): string {
  const date = new Date(at);
  return sameDay(date, new Date(now)) ? intl().clockSeconds.format(date) : intl().dayAndClockSeconds.format(date);
}

/** `20:46:12`. */
export function timeWithSeconds(at: string | number): string {
  return intl().clockSeconds.format(new Date(at));
}

/** Frame rates that are no whole numbers by intent. */
const BROKEN_RATES = [24000 / 1001, 30000 / 1001, 60000 / 1001, 120000 / 1001];

/** `1080p60`; what is unknown is left out. A measured rate is never quite even: the nearest usual one is meant. */
export function picture(height: Measured, fps: Measured): string {
  if (!known(height)) return UNKNOWN;
  if (!known(fps)) return `${height}p`;
  const usual = [Math.round(fps), ...BROKEN_RATES].reduce((best, rate) =>
    Math.abs(rate - fps) < Math.abs(best - fps) ? rate : best,
  );
  return `${height}p${Math.abs(usual - fps) < 0.1 ? decimal(usual) : intl().tenths.format(fps)}`;
}

/** A list in words: `A, B and C`. */
export function list(names: readonly string[], language: string): string {
  return new Intl.ListFormat(language, { type: "conjunction" }).format(names);
}

function known(n: Measured): n is number {
  return typeof n === "number" && Number.isFinite(n);
}

function sameDay(a: Date, b: Date): boolean {
  return a.toDateString() === b.toDateString();
}
