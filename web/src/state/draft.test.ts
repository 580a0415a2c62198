import { describe, expect, test } from "vitest";
import type { Destination } from "../api/types";
import { changes, costs, created, draftOf, FOR_PLATFORM } from "./draft";

const outputs = ["guest/passthrough", "main/passthrough"];

const stored = {
  id: "d1",
  name: "Club",
  platform: "custom",
  url: "rtmp://192.0.2.7/app",
  keyHint: "…7Q2x",
  output: "main/passthrough",
  enabled: true,
  startMode: "withStream",
  retryForS: null,
  backupUrl: null,
  username: "mara",
  hasPassword: true,
  allowLocal: false,
  position: 1,
  warnings: [],
} satisfies Destination;

describe("changes", () => {
  test("an untouched draft changes nothing", () => {
    expect(changes(stored, draftOf(stored, outputs))).toEqual({});
  });

  test("only what differs is sent, and an emptied text is null", () => {
    const draft = { ...draftOf(stored, outputs), name: " Club 2 ", backupUrl: " ", url: "" };
    expect(changes(stored, draft)).toEqual({ name: "Club 2", url: null });
  });

  test("key and password are sent only if they were typed", () => {
    expect(changes(stored, { ...draftOf(stored, outputs), key: "k" })).toEqual({ key: "k" });
    expect(changes(stored, { ...draftOf(stored, outputs), password: "p" })).toEqual({ password: "p" });
  });

  test("taking the user name away takes the password along", () => {
    expect(changes(stored, { ...draftOf(stored, outputs), username: "" })).toEqual({ username: null, password: null });
  });

  test("the switch of a stored one is left alone", () => {
    expect(changes({ ...stored, enabled: false }, draftOf(stored, outputs))).toEqual({});
  });
});

test("another platform's key does not go to the server that stood there", () => {
  const own = { ...draftOf({ ...stored, backupUrl: "rtmp://192.0.2.8/app", allowLocal: true }, outputs) };
  const draft = { ...own, platform: "twitch", key: "live_1", ...FOR_PLATFORM };
  const before = { ...stored, backupUrl: "rtmp://192.0.2.8/app", allowLocal: true };
  expect(changes(before, draft)).toEqual({
    platform: "twitch",
    key: "live_1",
    url: null,
    backupUrl: null,
    allowLocal: false,
    username: null,
    password: null,
  });
  expect(created(draft)).not.toHaveProperty("url");
});

test("a new one takes an output that there is", () => {
  expect(draftOf(undefined, outputs).output).toBe("main/passthrough");
  expect(draftOf(undefined, ["guest/passthrough"]).output).toBe("guest/passthrough");
  expect(draftOf(stored, ["guest/passthrough"]).output).toBe("main/passthrough");
});

test("a new one has its name, place and switch, and nothing that was not set", () => {
  const draft = { ...draftOf(undefined, outputs), name: " Club ", url: "rtmp://a/b", key: "k" };
  expect(created(draft)).toEqual({
    name: "Club",
    platform: "custom",
    url: "rtmp://a/b",
    key: "k",
    output: "main/passthrough",
    enabled: true,
    startMode: "withStream",
    allowLocal: false,
  });
  expect(created({ ...draft, username: "mara", password: "p", retryForS: 60 })).toMatchObject({
    username: "mara",
    password: "p",
    retryForS: 60,
  });
});

test("a name costs nothing, a key or a backup server the connection, the start by hand the stream", () => {
  expect(costs({ name: "x", retryForS: 60, startMode: "withStream" }, false)).toBeNull();
  expect(costs({ startMode: "manual" }, true)).toBeNull();
  expect(costs({ key: "k" }, true)).toBe("reconnects");
  expect(costs({ url: null }, false)).toBe("reconnects");
  expect(costs({ backupUrl: null }, false)).toBe("reconnects");
  expect(costs({ backupUrl: null, startMode: "manual" }, true)).toBe("reconnects");
  expect(costs({ backupUrl: null, startMode: "manual" }, false)).toBe("ends");
});
