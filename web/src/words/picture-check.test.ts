import { expect, test } from "vitest";
import type { Advice, Platform, Track } from "../api/types";
import { destination, input, known, status } from "./fixtures";
import { pictureCheck } from "./picture-check";

const video = (over: Partial<Track> = {}): Track =>
  ({
    kind: "video",
    codec: "avc1",
    height: 1080,
    fps: 60,
    bitrateBps: 6e6,
    keyframeIntervalMs: 2000,
    ...over,
  }) as Track;
const audio = { kind: "audio", codec: "mp4a", sampleRate: 48000, bitrateBps: 160_000 } as Track;
const twitch = { id: "custom", name: "Twitch", maxVideoKbps: 6000, videoCodecs: ["h264"] } as unknown as Platform;
const look = (tracks: Track[], over = {}, advice: Advice[] = []) => {
  const { places } = known(status({ a: destination(over) }), [], [twitch]);
  return pictureCheck(input({ tracks, advice }), places);
};
const warnings = (...args: Parameters<typeof look>) => look(...args).filter(({ tone }) => tone === "warn");
const advises = (code: Advice["code"], params: object): Advice[] => [
  { code, severity: "warning", params: params as never },
];

test("a usual stream has nothing to warn of", () => {
  expect(warnings([video(), audio])).toEqual([]);
  expect(look([video(), audio])[0]?.what).toBe("1080p60, H.264");
});

test("what platforms do not take is said with what to do", () => {
  const tooMuch = advises("video_bitrate_platform", { bps: 9e6, most: 6e6, platform: "custom" });
  expect(warnings([video({ bitrateBps: 9e6 }), audio], {}, tooMuch)[0]?.what).toBe("Twitch takes at most 6.0 Mb/s");
  const rare = advises("keyframe_interval", { ms: 8000, most: 4000 });
  const found = look([video({ keyframeIntervalMs: 8000 }), audio], {}, rare);
  expect(found.filter(({ what }) => /[Kk]eyframe/.test(what)).map(({ tone }) => tone)).toEqual(["warn"]);
  expect(warnings([video({ codec: "av01" }), audio])).toHaveLength(1);
  expect(warnings([video()])).toHaveLength(1);
  expect(warnings([audio])).toHaveLength(1);
});

test("advice that this page has no words for is left out", () => {
  expect(warnings([video(), audio], {}, advises("of_tomorrow" as Advice["code"], {}))).toEqual([]);
});

test("a place that is off does not matter", () => {
  expect(warnings([video({ codec: "av01" }), audio], { enabled: false })).toEqual([]);
});

test("what was not measured is not judged", () => {
  const { keyframeIntervalMs: _, ...rest } = video();
  expect(look([rest as Track, audio]).map(({ tone }) => tone)).toEqual(["good", "good"]);
});
