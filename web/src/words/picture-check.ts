import type { InputStatus, Track } from "../api/types";
import type { Place, Tone } from "./destination";
import { bitrate, decimal, picture } from "./format";
import { codecName } from "./headline";
import { t } from "./i18n";

/** One thing that was looked at in the stream that comes in, and what to do about it. */
export interface Finding {
  tone: Extract<Tone, "good" | "warn" | "quiet">;
  what: string;
  note?: string;
}

/** A codec's FourCC, and what it is called in the facts of platforms. */
const PLATFORM_NAMES = new Map([
  ["avc1", "h264"],
  ["hvc1", "hevc"],
  ["av01", "av1"],
] as const) as ReadonlyMap<string, "h264" | "hevc" | "av1">;

/** Above this a platform may take the picture away, ms. */
const KEYFRAME_MS = 4000;

/** Is the picture right? Only what was read from the stream; nothing is said of what was not measured. */
export function pictureCheck(status: InputStatus, places: readonly Place[]): Finding[] {
  const video = status.tracks.find((track) => track.kind === "video");
  const audio = status.tracks.find((track) => track.kind === "audio");
  return [...lookAtVideo(video, places), lookAtSound(audio)];
}

function lookAtVideo(video: Track | undefined, places: readonly Place[]): Finding[] {
  if (!video) return [{ tone: "warn", what: t("look.noVideo"), note: t("look.noVideoDo") }];
  const findings: Finding[] = [
    { tone: "good", what: `${picture(video.height, video.fps)}, ${codecName(video.codec)}` },
  ];
  const interval = video.keyframeIntervalMs;
  if (interval) {
    const seconds = decimal(Math.round(interval / 100) / 10);
    findings.push(
      interval > KEYFRAME_MS
        ? { tone: "warn", what: t("look.keyframeLong", { seconds }), note: t("look.keyframeDo") }
        : { tone: "good", what: t("look.keyframe", { seconds }), note: t("look.keyframeFine") },
    );
  }
  for (const { name, platform, status } of places) {
    if (!status.enabled || !platform || !status.output.endsWith("/passthrough")) continue;
    const most = platform.maxVideoKbps;
    if (most && video.bitrateBps > most * 1100) {
      const { value, unit } = bitrate(most * 1000);
      findings.push({
        tone: "warn",
        what: t("look.tooMuch", { name, bitrate: `${value} ${unit}` }),
        note: t("look.tooMuchDo"),
      });
    }
    const codec = PLATFORM_NAMES.get(video.codec ?? "");
    if (codec && platform.videoCodecs && !platform.videoCodecs.includes(codec)) {
      findings.push({
        tone: "warn",
        what: t("look.codec", { name, codec: codecName(video.codec) }),
        note: t("look.codecDo"),
      });
    }
  }
  if (video.bFrames) findings.push({ tone: "quiet", what: t("look.bFrames"), note: t("look.bFramesNote") });
  return findings;
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
