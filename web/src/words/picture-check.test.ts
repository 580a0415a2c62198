import { expect, test } from "vitest";
import type { Platform, Track } from "../api/types";
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
const look = (tracks: Track[], over = {}) => {
  const { places } = known(status({ a: destination(over) }), [], [twitch]);
  return pictureCheck(input({ tracks }), places);
};
const warnings = (tracks: Track[], over = {}) => look(tracks, over).filter(({ tone }) => tone === "warn");

test("a usual stream has nothing to warn of", () => {
  expect(warnings([video(), audio])).toEqual([]);
  expect(look([video(), audio])[0]?.what).toBe("1080p60, H.264");
});

test("what platforms do not take is said with what to do", () => {
  expect(warnings([video({ keyframeIntervalMs: 8000 }), audio])).toHaveLength(1);
  expect(warnings([video({ bitrateBps: 9e6 }), audio])[0]?.what).toMatch(/Club|Twitch/);
  expect(warnings([video({ codec: "av01" }), audio])).toHaveLength(1);
  expect(warnings([video()])).toHaveLength(1);
  expect(warnings([audio])).toHaveLength(1);
});

test("a place that is off does not matter", () => {
  expect(warnings([video({ codec: "av01" }), audio], { enabled: false })).toEqual([]);
});

test("what was not measured is not judged", () => {
  const { keyframeIntervalMs: _, ...rest } = video();
  expect(look([rest as Track, audio]).map(({ tone }) => tone)).toEqual(["good", "good"]);
});
