import { expect, test } from "vitest";
import { fpsOff, judge, toneOfBitrate, toneOfDisk, toneOfHeat } from "./limits";

test("ping, queue and dropped frames by the limits of the brief", () => {
  expect([null, 250, 251, 601].map((ms) => judge("pingMs", ms))).toEqual(["quiet", "quiet", "warn", "bad"]);
  expect([2000, 2001, 5001].map((ms) => judge("queueMs", ms))).toEqual(["quiet", "warn", "bad"]);
  expect([1, 1.1, 5.1].map((part) => judge("droppedPercent", part))).toEqual(["quiet", "warn", "bad"]);
});

test("bitrate by what part of the stream arrives", () => {
  expect([6.0, 5.1, 5.0, 2.9].map((mb) => toneOfBitrate(mb * 1e6, 6e6))).toEqual(["quiet", "quiet", "warn", "bad"]);
  expect(toneOfBitrate(null, 6e6)).toBe("quiet");
  expect(toneOfBitrate(1e6, 0)).toBe("quiet");
});

test("what comes in: lost frames, keyframes, frame rate and level", () => {
  expect([1, 2, 6].map((part) => judge("lostPercent", part))).toEqual(["quiet", "warn", "bad"]);
  expect([4000, 4001, 8001].map((ms) => judge("keyframeMs", ms))).toEqual(["quiet", "warn", "bad"]);
  expect([30, 29.97, 59.9, 27.3].map((fps) => judge("fpsOffPercent", fpsOff(fps)))).toEqual([
    "quiet",
    "quiet",
    "quiet",
    "warn",
  ]);
  expect(fpsOff(undefined)).toBeNull();
  expect([-1, -0.5].map((db) => judge("peakDbfs", db))).toEqual(["quiet", "warn"]);
});

test("the preview and the upload", () => {
  expect([5, 5.1].map((s) => judge("bufferedS", s))).toEqual(["quiet", "warn"]);
  expect([80, 81, 96].map((part) => judge("uploadPercent", part))).toEqual(["quiet", "warn", "bad"]);
});

test("the box: disk and heat", () => {
  expect([undefined, 5e9, 4.9e9, 0.9e9].map(toneOfDisk)).toEqual(["quiet", "quiet", "warn", "bad"]);
  const at = (temperatureC: number) => toneOfHeat({ temperatureC, throttleC: 80 });
  expect([75, 76, 80].map(at)).toEqual(["quiet", "warn", "bad"]);
  expect(toneOfHeat({ temperatureC: 99, throttleC: null })).toBe("quiet");
  expect(toneOfHeat({ temperatureC: 60, throttleC: 80, throttled: true })).toBe("bad");
  expect(toneOfHeat({ temperatureC: 60, throttleC: 80, throttled: true, undervoltage: true })).toBe("quiet");
});
