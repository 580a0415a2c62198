import { describe, expect, test } from "vitest";
import type { Destination, Platform, Status } from "../api/types";
import { destination, input, known, status, NOW } from "./fixtures";
import type { Broadcast } from "../api/types";
import { canStart, canStop, ended, headline, isOver, programName, tally } from "./headline";

const off = destination({ enabled: false, state: "off" });
const waiting = destination({ state: "waiting" });
const live = destination();
const retrying = destination({
  name: "Kick",
  state: "retrying",
  reason: { code: "remote_closed", sentence: "Kick closed the connection." },
});
const slow = destination({ state: "slow" });
const none = { inputs: { main: input({ state: "none" }) } };

const manual = (id: string) => ({ id, startMode: "manual", position: 1 }) as Destination;

function say(...args: Parameters<typeof known>) {
  const { sentence, why, rest, tone, row } = headline(known(...args));
  return { said: [sentence, why, rest].filter(Boolean).join(" | "), tone, row };
}

describe("headline", () => {
  test("nothing to stream to", () => {
    expect(say(status({})).said).toMatch(/^Add a place to stream to\./);
  });

  test("nobody sends", () => {
    expect(say(status({ a: waiting, b: waiting, c: off }, none)).said).toBe(
      "Ready. Waiting for OBS. | Start streaming to the address below. 2 places go live on their own.",
    );
    expect(say(status({ a: off }, none)).said).toMatch(/^Everything is switched off\./);
    expect(say(status({ a: waiting }, none), [manual("a")]).said).toMatch(/Nothing goes out before Start sending/);
  });

  test("nobody sends, but all is to go out as soon as somebody does", () => {
    const armed = { ...none, broadcast: { started: true, stopped: false } };
    expect(say(status({ a: waiting }, armed), [manual("a")]).said).toBe(
      "Ready. Waiting for OBS. | Goes out as soon as OBS sends.",
    );
  });

  test("a picture that goes nowhere", () => {
    expect(say(status({ a: off })).said).toMatch(/^Picture coming in, sent nowhere\./);
  });

  test("rehearsal: all that is on waits for a press", () => {
    expect(say(status({ a: waiting, b: off }), [manual("a")]).said).toMatch(/^Rehearsal: nobody sees this\./);
  });

  test("all live", () => {
    expect(say(status({ a: live, b: live, c: off }))).toEqual({
      said: "Live on 2 | Everything arrives.",
      tone: "good",
      row: undefined,
    });
  });

  test("what viewers would notice comes before one place that fails", () => {
    const alarms = [{ code: "silent" as const, since: "2026-11-21T20:45:30Z" }];
    const noticed = { inputs: { main: input({ alarms }) } };
    expect(headline(known(status({ a: live, b: retrying }, noticed)))).toMatchObject({
      sentence: "No sound for *42\u00a0s*",
      why: "It goes out like this to 1 place. Look at the source in OBS.",
      alarm: { input: "main", code: "silent" },
    });
  });

  test("it is noticed before anybody sees it too", () => {
    const alarms = [{ code: "frozen" as const, since: "2026-11-21T20:45:30Z" }];
    const noticed = { inputs: { main: input({ alarms }) } };
    const unseen = "The picture has stood still for *42\u00a0s* | Nobody sees it yet.";
    expect(say(status({ a: off }, noticed)).said).toBe(unseen);
    expect(say(status({ a: waiting }, noticed), [manual("a")]).said).toBe(unseen);
    expect(say(status({ a: retrying }, noticed)).said).toBe(unseen);
  });

  test("of several inputs the one that somebody sees is said", () => {
    const alarms = [{ code: "silent" as const, since: "2026-11-21T20:45:30Z" }];
    const guest = destination({ output: "guest/passthrough" });
    const both = { inputs: { guest: input({ alarms }), main: input() } };
    expect(say(status({ a: live, b: live }, both)).said).toMatch(/^Live on 2/);
    expect(say(status({ a: live, b: guest }, both)).said).toMatch(/^No sound .* to 1 place\./);
  });

  test("the box itself is the worst cause", () => {
    const board = { alarms: [{ code: "undervoltage" as const, since: "2026-11-21T20:45:30Z" }] };
    expect(say(status({ a: live, b: retrying }, { board }))).toEqual({
      said: "Live on *1 of 2* | The power supply of the box is too weak.",
      tone: "warn",
      row: undefined,
    });
  });

  test("one that waits for a press is no fault", () => {
    expect(say(status({ a: live, b: waiting }), [manual("b")]).said).toBe(
      "Live on 1 | 1 place waits for Start sending.",
    );
  });

  test("one in trouble is named, and who is not affected", () => {
    expect(say(status({ a: live, b: retrying, c: live, d: off }))).toEqual({
      said: "Live on *2 of 3* | Kick closed the connection. | The other 2 are fine.",
      tone: "warn",
      row: "b",
    });
  });

  test("one that is still connecting is not called fine", () => {
    const said = say(status({ a: live, b: retrying, c: destination({ state: "connecting" }) })).said;
    expect(said).toBe("Live on *1 of 3* | Kick closed the connection. | 1 other is fine.");
  });

  test("several slow ones are the upload", () => {
    expect(say(status({ a: { ...slow, name: "A" }, b: { ...slow, name: "B" }, c: live })).said).toBe(
      "Live on 3 | Your internet upload is too slow: A and B. | The other one is fine.",
    );
  });

  test("not live before anything arrives there", () => {
    expect(say(status({ a: destination({ state: "connecting" }), b: waiting })).said).toMatch(
      /^Connecting to 2 places\./,
    );
    expect(say(status({ a: retrying })).said).toBe("Not live. | Kick closed the connection.");
  });

  test("a platform that waits for its own press is not called live", () => {
    const youtube = { id: "youtube", name: "YouTube", goesLiveOnIngest: "afterPress" } as Platform;
    const sending = destination({ name: "My channel", platform: "youtube" });
    expect(say(status({ a: sending }), [], [youtube]).said).toBe(
      "Sending to 1 | My channel may wait for a press on its own page.",
    );
    expect(say(status({ a: { ...sending, confirmed: true } }), [], [youtube]).said).toMatch(/^Live on 1/);
  });

  test("the publisher is gone", () => {
    const lost = { inputs: { main: input({ state: "lost", since: "2026-11-21T20:46:00Z" }) } };
    expect(say(status({ a: live }, lost)).said).toMatch(/^OBS stopped \*12\u00a0s\* ago/);
  });

  test("another publisher is gone, and places wait for it", () => {
    const inputs = { main: input(), guest: input({ state: "lost", since: "2026-11-21T20:46:00Z" }) };
    const guest = destination({ output: "guest/passthrough" });
    const names = [
      { id: "main", name: "Main" },
      { id: "guest", name: "Balcony" },
    ];
    const at = (all: Status) => headline({ ...known(all), inputs: names });
    expect(at(status({ a: live, b: guest }, { inputs }))).toMatchObject({
      sentence: "Balcony stopped *12\u00a0s* ago",
      rest: "1 other is fine.",
    });
    expect(at(status({ a: live }, { inputs })).sentence).toBe("Live on 1");
  });

  test("ended, for an hour: how long and on how many", () => {
    const leg = { destination: "a", name: "A", liveS: 60 };
    const last = {
      endedAt: "2026-11-21T20:40:00Z",
      lengthS: 6127,
      destinations: [leg, { ...leg, liveS: 0 }],
    } as unknown as Broadcast;
    expect(ended(last, NOW)).toBe("Ended. 1:42:07 on 1 place.");
    expect(ended(last, NOW + 3_600_000)).toBeNull();
    expect(ended({ ...last, endedAt: null }, NOW)).toBeNull();
    expect(ended(undefined, NOW)).toBeNull();
  });

  test("over is what was stopped, and what nobody feeds any more", () => {
    const broadcast = { started: false, stopped: true };
    expect(isOver(status({ a: waiting }, none))).toBe(true);
    expect(isOver(status({ a: waiting }, { broadcast }))).toBe(true);
    expect(isOver(status({ a: waiting }, { ...none, broadcast }))).toBe(true);
    expect(isOver(status({ a: waiting }))).toBe(false);
    expect(isOver(status({ a: live }, { broadcast, onAirSince: "2026-11-21T20:00:00Z" }))).toBe(false);
    expect(isOver(status({ a: waiting }, { ...none, broadcast: { started: true, stopped: false } }))).toBe(false);
  });

  test("stopped by hand", () => {
    expect(say(status({ a: waiting }, { broadcast: { started: false, stopped: true } })).said).toMatch(
      /^Sending is stopped\./,
    );
  });
});

describe("start and stop", () => {
  test("start only where it would begin something", () => {
    expect(canStart(known(status({ a: waiting })))).toBe(false);
    expect(canStart(known(status({ a: waiting }), [manual("a")]))).toBe(true);
    expect(canStart(known(status({ a: off }), [manual("a")]))).toBe(false);
    expect(canStart(known(status({ a: live }, { broadcast: { started: true, stopped: false } }), [manual("a")]))).toBe(
      false,
    );
    expect(canStart(known(status({ a: waiting }, { broadcast: { started: false, stopped: true } })))).toBe(true);
    expect(canStart(known(status({ a: waiting }, none), [manual("a")]))).toBe(false);
  });

  test("stop only where something is going on", () => {
    expect(canStop(known(status({ a: waiting, b: off })))).toBe(false);
    expect(canStop(known(status({ a: retrying })))).toBe(true);
    const broadcast = { started: true, stopped: false };
    expect(canStop(known(status({ a: waiting }, { ...none, broadcast })))).toBe(true);
    expect(canStop(known(status({ a: waiting }, { broadcast })))).toBe(false);
  });
});

test("the tab counts what is live", () => {
  expect(tally(known(status({ a: waiting })).places)).toBeNull();
  expect(tally(known(status({ a: live, b: off })).places)).toEqual({ text: "1", whole: true });
  expect(tally(known(status({ a: live, b: retrying, c: off })).places)).toEqual({ text: "1/2", whole: false });
});

test("programs by the names that people know", () => {
  expect(programName("obs-output module (libobs version 32.0.1)")).toBe("OBS");
  expect(programName("FMLE/3.0 (compatible; Lavf60.3.100)")).toBe("FFmpeg");
  expect(programName(null)).toBe("OBS");
  expect(programName("Larix Broadcaster")).toBe("Larix Broadcaster");
});

test("a stop that holds is not called ready, and nothing promises to go on alone", () => {
  const broadcast = { started: false, stopped: true };
  const at = (state: "lost" | "none", since: string) =>
    say(status({ a: waiting }, { broadcast, inputs: { main: input({ state, since }) } })).said;
  const held = / \| Until \d+:\d+.* sending stays stopped, even if OBS is back\.$/;
  expect(at("lost", "2026-11-21T20:46:00Z")).toMatch(/^OBS stopped \*12\u00a0s\* ago/);
  expect(at("lost", "2026-11-21T20:46:00Z")).toMatch(held);
  expect(at("none", "2026-11-21T20:40:00Z")).toMatch(/^Sending is stopped\./);
  expect(at("none", "2026-11-21T20:40:00Z")).toMatch(held);
  expect(at("none", "2026-11-21T20:35:00Z")).toMatch(/^Ready\. Waiting for OBS\./);
});
