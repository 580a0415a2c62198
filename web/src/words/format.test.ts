import { describe, expect, test } from "vitest";
import { bitrate, count, duration, list, milliseconds, picture, seconds, time } from "./format";

const text = ({ value, unit }: { value: string; unit: string }) => (unit ? `${value} ${unit}` : value);

describe("figures", () => {
  test("what was not measured is a dash, never 0", () => {
    for (const nothing of [null, undefined, NaN]) {
      for (const format of [bitrate, milliseconds, seconds, count])
        expect(format(nothing)).toEqual({ value: "–", unit: "" });
    }
    expect(picture(null, 60)).toBe("–");
    expect(text(bitrate(0))).toBe("0 kb/s");
  });

  test("Mb/s from 1 upwards", () => {
    expect(text(bitrate(6_040_000))).toBe("6.0 Mb/s");
    expect(text(bitrate(1_000_000))).toBe("1.0 Mb/s");
    expect(text(bitrate(999_499))).toBe("999 kb/s");
    expect(text(bitrate(999_500))).toBe("1.0 Mb/s");
    expect(text(bitrate(160_000))).toBe("160 kb/s");
  });

  test("times and counts", () => {
    expect(text(milliseconds(18.2))).toBe("18 ms");
    expect(text(seconds(2449))).toBe("2.4 s");
    expect(text(count(1680))).toMatch(/^1.680$/);
    expect(duration(6127_900)).toBe("1:42:07");
    expect(duration(59_999)).toBe("0:59");
    expect(duration(-5)).toBe("0:00");
  });

  test("picture sizes", () => {
    expect(picture(1080, 60)).toBe("1080p60");
    expect(picture(1080, 59.94)).toMatch(/^1080p59[.,]94$/);
    expect(picture(720, 30.003)).toBe("720p30");
    expect(picture(720, 29.99)).toBe("720p30");
    expect(picture(720, 29.972)).toMatch(/^720p29[.,]97$/);
    expect(picture(720, 27.44)).toMatch(/^720p27[.,]4$/);
    expect(picture(720, null)).toBe("720p");
  });
});

test("a time of another day names the day", () => {
  const now = new Date(2026, 10, 21, 20, 46).getTime();
  expect(time(new Date(2026, 10, 21, 9, 5).getTime(), now)).not.toMatch(/Nov|21/);
  expect(time(new Date(2026, 10, 14, 9, 5).getTime(), now)).toMatch(/14/);
});

test("lists in words", () => {
  expect(list(["A"], "en")).toBe("A");
  expect(list(["A", "B"], "en")).toBe("A and B");
});
