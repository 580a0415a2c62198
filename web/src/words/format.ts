import { locale } from "./i18n";

/** A number and its unit, apart, so that a view can set them differently. */
export interface Quantity {
  value: string;
  unit: string;
}

/** Stands where nothing was measured. */
export const UNKNOWN = "–";

type Measured = number | null | undefined;

const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const hundredths = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
const clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
const clockSeconds = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit", second: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat(locale, {
  day: "numeric",
  month: "short",
  hour: "numeric",
  minute: "2-digit",
});

const dayAndClockSeconds = new Intl.DateTimeFormat(locale, {
  day: "numeric",
  month: "short",
  hour: "numeric",
  minute: "2-digit",
  second: "2-digit",
});

/** bit/s as Mb/s from 1 upwards, else kb/s. */
export function bitrate(bps: Measured): Quantity {
  if (!known(bps)) return { value: UNKNOWN, unit: "" };
  // 999,950 bit/s would round to 1,000 kb/s.
  if (bps >= 999_500) return { value: tenths.format(bps / 1e6), unit: "Mb/s" };
  return { value: whole.format(bps / 1000), unit: "kb/s" };
}

export function milliseconds(ms: Measured): Quantity {
  return known(ms) ? { value: whole.format(ms), unit: "ms" } : { value: UNKNOWN, unit: "" };
}

/** Milliseconds as seconds with one decimal. */
export function seconds(ms: Measured): Quantity {
  return known(ms) ? { value: tenths.format(ms / 1000), unit: "s" } : { value: UNKNOWN, unit: "" };
}

export function count(n: Measured): Quantity {
  return { value: known(n) ? whole.format(n) : UNKNOWN, unit: "" };
}

export function decimal(n: number): string {
  return hundredths.format(n);
}

/** A span as `1:42:07`, below an hour as `42:07`. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number) => String(n).padStart(2, "0");
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

/** `20:46`, with the day where it is not today. */
export function time(at: string | number, now: number): string {
  const date = new Date(at);
  return sameDay(date, new Date(now)) ? clock.format(date) : dayAndClock.format(date);
}

/** `20:46:12`, with the day where it is not today. */
export function exactTime(at: string | number, now: number): string {
  const date = new Date(at);
  return sameDay(date, new Date(now)) ? clockSeconds.format(date) : dayAndClockSeconds.format(date);
}

/** `20:46:12`. */
export function timeWithSeconds(at: string | number): string {
  return clockSeconds.format(new Date(at));
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
  return `${height}p${Math.abs(usual - fps) < 0.1 ? decimal(usual) : tenths.format(fps)}`;
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
