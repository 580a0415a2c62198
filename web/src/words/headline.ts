import type { Broadcast, Input, InputStatus, Status } from "../api/types";
import type { Reach } from "../live/link";
import type { Centre } from "../ui/ring";
import { inputOf, isOnAir, isOnlySending, isTrouble, type Place, type Tone } from "./destination";
import { ago, duration, list, time, timeWithSeconds } from "./format";
import type { Key } from "./catalogue";
import { knows, language, t, tell } from "./i18n";
import { reasonSentence } from "./reason";

/** The state of everything in one sentence, and at most one cause in a second one. */
export interface Headline {
  /** May mark its telling part by `*…*`. */
  sentence: string;
  tone: Tone;
  why: string;
  /** The row that `why` speaks of. */
  row?: string;
  /** Who is not affected; follows `why`. */
  rest?: string;
  /** What a person would notice in picture or sound, and may have muted. */
  alarm?: { input: string; code: "frozen" | "silent" };
}

export interface Known {
  status: Status;
  places: Place[];
  /** The box's time, ms. */
  now: number;
  /** What the inputs are called; one of several is called by its own name. */
  inputs?: readonly Pick<Input, "id" | "name">[];
}

/** When the box cannot be reached; `lastSeen` in ms, or `null` if it never was. */
export function unreachable(lastSeen: number | null): Headline {
  return {
    sentence: t("headline.unreachable"),
    tone: "bad",
    why: lastSeen === null ? t("why.neverSeen") : t("why.unreachable", { time: timeWithSeconds(lastSeen) }),
  };
}

export function headline(known: Known): Headline {
  const told = ofStream(known);
  // Of all causes the box itself is the worst: whatever else fails may come from it.
  const alarm = known.status.board.alarms.find(({ code }) => knows(`why.box_${code}`));
  if (!alarm) return told;
  const { row: _, rest: __, ...line } = told;
  return { ...line, why: tell(`why.box_${alarm.code}` as Key, {}), tone: line.tone === "bad" ? "bad" : "warn" };
}

function ofStream(known: Known): Headline {
  const { status, places } = known;
  if (places.length === 0) return quiet(t("headline.noDestinations"), t("why.noDestinations"));
  const input = mainInput(status);
  const program = programName(input?.session?.program);
  const on = places.filter((place) => place.status.enabled);

  const missing = lost(known, on);
  if (missing) return missing;
  if (input === undefined || input.state === "none") {
    if (on.length === 0) return quiet(t("headline.allOff"), t("why.allOff"));
    const byHand = on.filter(isManual).length;
    const alone = on.length - byHand;
    const held = input && stopHolds(known, input, program);
    if (held) return quiet(t("headline.stopped"), held);
    const ready = t("headline.ready", { program });
    if (status.broadcast.started) return quiet(ready, t("why.armed", { program }));
    return quiet(ready, alone > 0 ? t("why.ready", { count: alone }) : t("why.readyManual"));
  }
  if (input.state === "connecting") return quiet(t("headline.connecting", { program }), t("why.connecting"));
  if (status.broadcast.stopped) return quiet(t("headline.stopped"), t("why.stopped", { program }));
  const noticed = alarmed(known, on.filter(isOnAir));
  if (noticed) return noticed;
  return on.length === 0 ? quiet(t("headline.nowhere"), t("why.nowhere")) : onAir(status, on);
}

/** A publisher is away: the main one, or another one whose places are on. */
function lost(known: Known, on: readonly Place[]): Headline | null {
  const { status, now, inputs = [] } = known;
  const main = mainInput(status);
  for (const [id, one] of Object.entries(status.inputs)) {
    const own = on.filter((place) => inputOf(place) === id);
    if (one.state !== "lost" || (one !== main && own.length === 0)) continue;
    const program =
      (inputs.length > 1 && inputs.find((input) => input.id === id)?.name) || programName(one.session?.program);
    const fine = on.filter((place) => !own.includes(place) && isOnAir(place) && !isTrouble(place)).length;
    return {
      sentence: t("headline.inputLost", { program, ago: ago(now - Date.parse(one.since)) }),
      tone: "warn",
      why: stopHolds(known, one, program) ?? t("why.inputLost"),
      ...(fine > 0 && { rest: t("why.someFine", { count: fine }) }),
    };
  }
  return null;
}

/** Whoever comes back by itself is not sent on against the will of the one who pressed *Stop*: until when. */
function stopHolds({ status, now }: Known, { state, since }: InputStatus, program: string): string | null {
  const until = Date.parse(since) + STOP_HOLDS_MS + (state === "lost" ? LOST_HOLDS_MS : 0);
  return status.broadcast.stopped && until > now ? t("why.stoppedHeld", { program, time: time(until, now) }) : null;
}

/** A picture that stands still, or no sound: that comes before one place that fails, and first where somebody sees it. */
function alarmed({ status, now }: Known, live: readonly Place[]): Headline | null {
  for (const [input, { alarms, session }] of Object.entries(status.inputs)) {
    const count = live.filter((place) => inputOf(place) === input).length;
    const [alarm] = alarms;
    if (!alarm || (count === 0 && live.length > 0)) continue;
    const { code, since } = alarm;
    return {
      sentence: t(`headline.${code}`, { ago: ago(now - Date.parse(since)) }),
      tone: "warn",
      why: count > 0 ? t("why.alarm", { count, program: programName(session?.program) }) : t("why.alarmUnseen"),
      alarm: { input, code },
    };
  }
  return null;
}

/** A picture comes in and at least one destination is on. */
function onAir(status: Status, on: Place[]): Headline {
  const expected = on.filter((place) => !(isManual(place) && place.status.state === "waiting"));
  if (expected.length === 0 && !status.broadcast.started) {
    return quiet(t("headline.rehearsal"), t("why.rehearsal"));
  }
  const live = expected.filter(isOnAir);
  const troubled = expected.filter(isTrouble);
  if (live.length === 0 && troubled.length === 0) {
    return quiet(t("headline.goingOut", { count: expected.length }), t("why.connecting"));
  }
  if (live.length === 0) {
    return { sentence: t("headline.notLive"), tone: "warn", ...cause(expected, troubled, [], 0) };
  }
  const onlySending = live.filter(isOnlySending);
  const numbers = { live: live.length, count: expected.length };
  const whole = live.length === expected.length;
  const sentence =
    onlySending.length > 0
      ? whole
        ? t("headline.sendingAll", { count: live.length })
        : t("headline.sendingPart", numbers)
      : whole
        ? t("headline.liveAll", { count: live.length })
        : t("headline.livePart", numbers);
  const tone: Tone = troubled.length > 0 ? "warn" : "good";
  return { sentence, tone, ...cause(expected, troubled, onlySending, on.length - expected.length) };
}

/** Whether nothing is going on, so that what can be said is how the last broadcast ended. */
export function isOver({ onAirSince, broadcast, ...status }: Status): boolean {
  return !onAirSince && !broadcast.started && (broadcast.stopped || !isFed(status));
}

const SAID_FOR_MS = 3_600_000;
/** How long the box waits for a publisher who was lost, and how long *Stop sending* holds after that, ms. */
const LOST_HOLDS_MS = 30_000;
const STOP_HOLDS_MS = 600_000;

/** What the last broadcast was, for an hour after its end; `null` where there is none such. */
export function ended(last: Broadcast | undefined, now: number): string | null {
  if (!last?.endedAt || now - Date.parse(last.endedAt) > SAID_FOR_MS) return null;
  const places = last.destinations.filter(({ liveS }) => liveS > 0).length;
  return places > 0 ? t("headline.ended", { length: duration(last.lengthS * 1000), count: places }) : null;
}

/** Names what is switched off: at most three, so that the line stays a line. */
export function offLine(places: readonly Place[]): string {
  const off = places.filter((place) => !place.status.enabled);
  if (off.length === 0 || off.length > 3 || off.length === places.length) return "";
  const names = list(
    off.map((place) => place.name),
    language,
  );
  return t("why.off", { names, count: off.length });
}

/** The small picture of it all. */
export function centreOf(known: { reach: Reach; status: Status | null; places: Place[] }): Centre {
  const { reach, status, places } = known;
  if (reach === "lost") return "away";
  const input = status ? mainInput(status) : undefined;
  if (input?.state === "lost") return "pause";
  if (places.some(isOnAir)) return "air";
  return status && input?.state === "receiving" && canStart({ status, places }) ? "gate" : "idle";
}

/** The second line: the worst cause, and who is not affected. */
function cause(
  expected: Place[],
  troubled: Place[],
  onlySending: Place[],
  waiting: number,
): Pick<Headline, "why" | "row" | "rest"> {
  const [first] = troubled;
  if (first === undefined) {
    const [sending] = onlySending;
    if (sending) return { why: t("why.press", { name: sending.name }), row: sending.id };
    return { why: waiting > 0 ? t("why.manualWait", { count: waiting }) : t("why.allFine") };
  }
  const others = expected.length - troubled.length;
  const fine = expected.filter((place) => isOnAir(place) && !isTrouble(place)).length;
  const rest =
    fine === 0
      ? {}
      : { rest: fine === others ? t("why.othersFine", { count: fine }) : t("why.someFine", { count: fine }) };
  const names = list(
    troubled.map((place) => place.name),
    language,
  );
  if (troubled.length === 1) {
    const why = reasonSentence(first) || t("why.troubles", { count: 1, names });
    return { why, row: first.id, ...rest };
  }
  if (troubled.every((place) => place.status.state === "slow")) return { why: t("why.uploadSlow", { names }), ...rest };
  return { why: t("why.troubles", { count: troubled.length, names }), row: first.id, ...rest };
}

/** The input whose state the headline tells: the one that is furthest. */
export function mainInput(status: Pick<Status, "inputs">): InputStatus | undefined {
  const rank = { none: 0, connecting: 1, lost: 2, receiving: 3 };
  return Object.values(status.inputs).reduce<InputStatus | undefined>(
    (best, one) => (best === undefined || rank[one.state] > rank[best.state] ? one : best),
    undefined,
  );
}

/** What people call the program that says so of itself. OBS where nothing is known, as the page tells them to use it. */
export function programName(program: string | null | undefined): string {
  if (!program || /obs/i.test(program)) return "OBS";
  if (/lavf|ffmpeg/i.test(program)) return "FFmpeg";
  if (/gstreamer|gst/i.test(program)) return "GStreamer";
  return program.slice(0, 24);
}

/** Whether *Start sending* has something to do: somebody sends, and rows wait for it, or everything was stopped. */
export function canStart({ status, places }: Pick<Known, "status" | "places">): boolean {
  if (!isFed(status)) return false;
  if (status.broadcast.stopped) return places.some((place) => place.status.enabled);
  return !status.broadcast.started && places.some((place) => place.status.enabled && isManual(place));
}

/** Whether *Stop sending* has something to end, or a *Start sending* to take back that nobody has answered by sending. */
export function canStop({ status, places }: Pick<Known, "status" | "places">): boolean {
  if (status.broadcast.started && !isFed(status)) return true;
  return places.some((place) => ["connecting", "live", "slow", "retrying"].includes(place.status.state));
}

function isFed(status: Pick<Status, "inputs">): boolean {
  return (mainInput(status)?.state ?? "none") !== "none";
}

/** The tab's short mark, `3/4` or `3`; `null` while nothing is on air. */
export function tally(places: readonly Place[]): { text: string; whole: boolean } | null {
  const on = places.filter((place) => place.status.enabled && place.status.state !== "waiting");
  const live = on.filter(isOnAir).length;
  if (live === 0) return null;
  return { text: live === on.length ? `${live}` : `${live}/${on.length}`, whole: live === on.length };
}

function isManual(place: Place): boolean {
  return place.settings?.startMode === "manual";
}

function quiet(sentence: string, why: string): Headline {
  return { sentence, tone: "quiet", why };
}

/** What people call a codec, by its FourCC. */
export function codecName(fourCc: string): string {
  const names: Record<string, string> = {
    avc1: "H.264",
    hvc1: "HEVC",
    av01: "AV1",
    vp09: "VP9",
    mp4a: "AAC",
    Opus: "Opus",
    fLaC: "FLAC",
    "ac-3": "AC-3",
    "ec-3": "E-AC-3",
    ".mp3": "MP3",
  };
  return names[fourCc] ?? fourCc;
}
