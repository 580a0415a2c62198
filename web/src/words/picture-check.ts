import type { InputStatus, Platform, Track } from "../api/types";
import type { Place, Tone } from "./destination";
import { bitrate, decimal, picture, type Quantity } from "./format";
import { codecName } from "./headline";
import { knows, t, tell } from "./i18n";

/** One thing that was looked at in the stream that comes in, and what to do about it. */
export interface Finding {
  tone: Tone;
  what: string;
  note?: string;
}

/** A codec's FourCC, and what it is called in the facts of platforms. */
const PLATFORM_NAMES = new Map([
  ["avc1", "h264"],
  ["hvc1", "hevc"],
  ["av01", "av1"],
] as const) as ReadonlyMap<string, "h264" | "hevc" | "av1">;

/** Is the picture right? Only what was read from the stream; nothing is said of what was not measured. */
export function pictureCheck(status: InputStatus, places: readonly Place[]): Finding[] {
  const video = status.tracks.find((track) => track.kind === "video");
  const audio = status.tracks.find((track) => track.kind === "audio");
  const platforms = places.flatMap(({ platform }) => platform ?? []);
  return [
    ...lookAtVideo(video, status),
    ...advised(status, platforms),
    ...places.flatMap((place) => wrongCodec(video, place)),
    ...(video?.bFrames && !status.advice.some(({ code }) => code === "b_frames_platform")
      ? [{ tone: "quiet" as const, what: t("look.bFrames"), note: t("look.bFramesNote") }]
      : []),
    lookAtSound(audio),
  ];
}

/** What the box advises about a stream, in words; with `platform` only what concerns that one. */
export function advised(
  { advice }: InputStatus,
  platforms: readonly Pick<Platform, "id" | "name">[],
  only?: string,
): Finding[] {
  return advice.flatMap(({ code, severity, params }) => {
    const key = `advice.${code}`;
    const given = params as Readonly<Record<string, string | number>>;
    if (!knows(key) || (only !== undefined && given["platform"] !== only)) return [];
    const say = ({ value, unit }: Quantity) => `${value} ${unit}`;
    const told = {
      name: platforms.find(({ id }) => id === given["platform"])?.name ?? String(given["platform"] ?? ""),
      seconds: decimal(Math.round(Number(given["ms"] ?? 0) / 100) / 10),
      wanted: decimal(Number(given["most"] ?? 0) / 1000),
      fps: decimal(Math.round(Number(given["fps"] ?? 0) * 10) / 10),
      bitrate: say(bitrate(Number(given["most"] ?? 0))),
      ppm: Math.round(Number(given["ppm"] ?? 0)),
      frames: Number(given["frames"] ?? 0),
      limit: Number(given["most"] ?? 0),
    };
    const help = `advice.${code}.do`;
    const tone = severity === "info" ? "quiet" : "warn";
    return [{ tone, what: tell(key, told), ...(knows(help) && { note: tell(help, told) }) }];
  });
}

function lookAtVideo(video: Track | undefined, { advice }: InputStatus): Finding[] {
  if (!video) return [{ tone: "warn", what: t("look.noVideo"), note: t("look.noVideoDo") }];
  const findings: Finding[] = [
    { tone: "good", what: `${picture(video.height, video.fps)}, ${codecName(video.codec)}` },
  ];
  const interval = video.keyframeIntervalMs;
  if (interval && !advice.some(({ code }) => code.startsWith("keyframe_interval"))) {
    const seconds = decimal(Math.round(interval / 100) / 10);
    findings.push({ tone: "good", what: t("look.keyframe", { seconds }), note: t("look.keyframeFine") });
  }
  return findings;
}

/** A place whose platform is known not to take this codec. */
export function wrongCodec(video: Track | undefined, { name, platform, status }: Place): Finding[] {
  if (!status.enabled || !status.output.endsWith("/passthrough")) return [];
  const codec = PLATFORM_NAMES.get(video?.codec ?? "");
  if (!video || !codec || !platform?.videoCodecs || platform.videoCodecs.includes(codec)) return [];
  return [{ tone: "warn", what: t("look.codec", { name, codec: codecName(video.codec) }), note: t("look.codecDo") }];
}

function lookAtSound(audio: Track | undefined): Finding {
  if (!audio) return { tone: "warn", what: t("look.noSound"), note: t("look.noSoundDo") };
  const kilohertz = audio.sampleRate ? `${decimal(audio.sampleRate / 1000)} kHz, ` : "";
  const rate = bitrate(audio.bitrateBps);
  return {
    tone: "good",
    what: t("look.sound", { what: `${kilohertz}${codecName(audio.codec)}, ${rate.value} ${rate.unit}` }),
  };
}
