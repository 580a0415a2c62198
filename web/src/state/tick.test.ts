import { beforeEach, expect, test, vi } from "vitest";

// A page has one document; here it is only what says whether somebody looks.
const page = Object.assign(new EventTarget(), { visibilityState: "visible" });

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("document", page);
  return () => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  };
});

test("everything is done in one wake-up a second, and nothing while nobody looks", async () => {
  const { every } = await import("./tick");
  const done: string[] = [];
  const stops = [every(1, () => done.push("a")), every(3, () => done.push("b"))];
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(3000);
  expect(done.join("")).toBe("aaab");

  page.visibilityState = "hidden";
  page.dispatchEvent(new Event("visibilitychange"));
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(60_000);
  expect(done.join("")).toBe("aaab");

  page.visibilityState = "visible";
  page.dispatchEvent(new Event("visibilitychange"));
  expect(done.join("")).toBe("aaabab");
  for (const stop of stops) stop();
  expect(vi.getTimerCount()).toBe(0);
});
