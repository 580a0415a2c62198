import { describe, expect, test } from "vitest";
import { host, maskedKey, publishAddress, tidy } from "./address";

test("the usual port needs no saying", () => {
  expect(publishAddress("brookbox.local", 1935)).toBe("rtmp://brookbox.local/live");
  expect(publishAddress("127.0.0.1", 40123)).toBe("rtmp://127.0.0.1:40123/live");
  expect(publishAddress("[fd00::1]", 1936)).toBe("rtmp://[fd00::1]:1936/live");
});

test("a key shows its end only", () => {
  expect(maskedKey("…7Q2x")).toBe("••••7Q2x");
  expect(maskedKey("")).toBe("••••");
  expect(maskedKey(null)).toBe("••••");
});

test("a peer is its address", () => {
  expect(host("192.0.2.9:51234")).toBe("192.0.2.9");
  expect(host("[fd00::9]:51234")).toBe("fd00::9");
});

describe("tidy", () => {
  test.each([
    ["spaces go", { url: " rtmp://a/b ", key: " k\n" }, { url: "rtmp://a/b", key: "k" }],
    ["swapped fields", { url: "k-1", key: "rtmps://a/app" }, { url: "rtmps://a/app", key: "k-1" }],
    ["a whole address as the key", { url: "", key: "rtmp://a/app/k?x=1" }, { url: "rtmp://a/app", key: "k?x=1" }],
    ["an address without a key", { url: "", key: "rtmp://a/app" }, { url: "rtmp://a/app", key: "" }],
    [
      "the address again before the key",
      { url: "rtmp://a/app", key: "rtmp://a/app/k" },
      { url: "rtmp://a/app", key: "k" },
    ],
    ["what is right stays", { url: "rtmp://a/app", key: "k?a=b&c=d" }, { url: "rtmp://a/app", key: "k?a=b&c=d" }],
    ["two addresses stay", { url: "rtmp://a/app", key: "rtmp://b/app" }, { url: "rtmp://a/app", key: "rtmp://b/app" }],
    ["nothing stays nothing", { url: "", key: "" }, { url: "", key: "" }],
  ])("%s", (_, typed, wanted) => expect(tidy(typed)).toEqual(wanted));
});
