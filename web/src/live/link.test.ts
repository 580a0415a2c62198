import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DIAL_MS, type Ear, LiveLink, type Reach, RETRY_MS, SILENCE_MS, type Wire } from "./link";
import type { Json } from "./patch";

class FakeWire implements Wire {
  closed = false;
  readonly since: number | null;
  readonly #ear: Ear;
  constructor(since: number | null, ear: Ear) {
    this.since = since;
    this.#ear = ear;
  }
  close(): void {
    this.closed = true;
    this.#ear.closed();
  }
  say(message: unknown): void {
    this.#ear.message(typeof message === "string" ? message : JSON.stringify(message));
  }
  drop(): void {
    this.#ear.closed();
  }
}

class Bench {
  readonly wires: FakeWire[] = [];
  readonly statuses: Json[] = [];
  readonly reach: Reach[] = [];
  admitted = true;
  dismissed = 0;
  readonly link = new LiveLink({
    dial: (since, ear) => {
      const wire = new FakeWire(since, ear);
      this.wires.push(wire);
      return wire;
    },
    admitted: async () => this.admitted,
    onStatus: (status) => this.statuses.push(JSON.parse(JSON.stringify(status))),
    onReach: (reach) => this.reach.push(reach),
    onDismissed: () => (this.dismissed += 1),
  });

  get wire(): FakeWire {
    return this.wires.at(-1)!;
  }
  get status(): Json | undefined {
    return this.statuses.at(-1);
  }
}

let bench: Bench;
beforeEach(() => {
  vi.useFakeTimers();
  bench = new Bench();
});
afterEach(() => {
  bench.link.close();
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("LiveLink", () => {
  test("takes a snapshot and deltas in order", () => {
    expect(bench.wire.since).toBeNull();
    bench.wire.say({ type: "snapshot", seq: 7, status: { a: 1, b: { c: 2 } } });
    bench.wire.say({ type: "delta", seq: 8, patch: { b: { c: 3 } } });
    bench.wire.say({ type: "delta", seq: 9, patch: { a: null } });
    expect(bench.statuses).toEqual([{ a: 1, b: { c: 2 } }, { a: 1, b: { c: 3 } }, { b: { c: 3 } }]);
    expect(bench.reach).toEqual(["open"]);
  });

  test("leaves out what it has applied already", () => {
    bench.wire.say({ type: "snapshot", seq: 7, status: { a: 1 } });
    bench.wire.say({ type: "delta", seq: 7, patch: { a: 9 } });
    expect(bench.status).toEqual({ a: 1 });
  });

  test("a gap asks for what came since, and keeps the state meanwhile", async () => {
    bench.wire.say({ type: "snapshot", seq: 7, status: { a: 1 } });
    bench.wire.say({ type: "delta", seq: 9, patch: { a: 3 } });
    expect(bench.status).toEqual({ a: 1 });
    expect(bench.wires[0]!.closed).toBe(true);
    await pass(RETRY_MS[0]);
    expect(bench.wire.since).toBe(7);
    bench.wire.say({ type: "delta", seq: 8, patch: { a: 2 } });
    bench.wire.say({ type: "delta", seq: 9, patch: { a: 3 } });
    expect(bench.status).toEqual({ a: 3 });
    expect(bench.reach).toEqual(["open"]);
  });

  test("a gap right after resuming asks for everything", async () => {
    bench.wire.say({ type: "snapshot", seq: 7, status: { a: 1 } });
    bench.wire.say({ type: "delta", seq: 9, patch: {} });
    await pass(RETRY_MS[0]);
    bench.wire.say({ type: "delta", seq: 12, patch: {} });
    await pass(RETRY_MS[1]);
    expect(bench.wire.since).toBeNull();
  });

  test("a delta before any snapshot is not applied to nothing", async () => {
    bench.wire.say({ type: "delta", seq: 1, patch: { a: 1 } });
    expect(bench.statuses).toEqual([]);
    await pass(RETRY_MS[0]);
    expect(bench.wire.since).toBeNull();
    expect(bench.wires).toHaveLength(2);
  });

  test("a snapshot counts whatever its number: the box may have started anew", () => {
    bench.wire.say({ type: "snapshot", seq: 700, status: { a: 1 } });
    bench.wire.say({ type: "snapshot", seq: 2, status: { a: 2 } });
    bench.wire.say({ type: "delta", seq: 3, patch: { a: 3 } });
    expect(bench.status).toEqual({ a: 3 });
  });

  test("a dropped socket goes on where it stopped, and nobody hears of it", async () => {
    bench.wire.say({ type: "snapshot", seq: 7, status: { a: 1 } });
    bench.wire.drop();
    await pass(RETRY_MS[0]);
    expect(bench.wire.since).toBe(7);
    bench.wire.say({ type: "delta", seq: 8, patch: { a: 2 } });
    expect(bench.status).toEqual({ a: 2 });
    expect(bench.reach).toEqual(["open"]);
  });

  test("three silent seconds mean out of reach, also while the socket seems open", async () => {
    bench.wire.say({ type: "snapshot", seq: 7, status: {} });
    await pass(SILENCE_MS - 1);
    expect(bench.reach).toEqual(["open"]);
    await pass(1);
    expect(bench.reach).toEqual(["open", "lost"]);
    expect(bench.wires[0]!.closed).toBe(true);
    await pass(RETRY_MS[0]);
    expect(bench.wires).toHaveLength(2);
    bench.wire.say({ type: "delta", seq: 8, patch: {} });
    expect(bench.reach).toEqual(["open", "lost", "open"]);
  });

  test("keeps trying, and gives up a try that hangs", async () => {
    bench.wire.say({ type: "snapshot", seq: 7, status: {} });
    await pass(SILENCE_MS + RETRY_MS[0]);
    const before = bench.wires.length;
    await pass(3 * (DIAL_MS + RETRY_MS[2]));
    expect(bench.wires.length - before).toBe(3);
    expect(bench.wires.filter((wire) => !wire.closed)).toHaveLength(1);
  });

  test("trying now needs no waiting", async () => {
    bench.wire.say({ type: "snapshot", seq: 7, status: {} });
    await pass(SILENCE_MS);
    const before = bench.wires.length;
    bench.link.tryNow();
    expect(bench.wires.length).toBe(before + 1);
    await pass(RETRY_MS[2]);
    expect(bench.wires.length).toBe(before + 1);
  });

  test("a sleeping machine is no lost box", async () => {
    bench.wire.say({ type: "snapshot", seq: 7, status: {} });
    vi.setSystemTime(Date.now() + 3_600_000);
    await pass(SILENCE_MS);
    expect(bench.reach).toEqual(["open"]);
    await pass(SILENCE_MS);
    expect(bench.reach).toEqual(["open", "lost"]);
  });

  test("an ended sign-in stops the tries", async () => {
    bench.wire.say({ type: "snapshot", seq: 7, status: {} });
    bench.admitted = false;
    bench.wire.drop();
    await pass(60_000);
    expect(bench.dismissed).toBe(1);
    expect(bench.wires).toHaveLength(1);
  });

  test("text that is no message is left aside", () => {
    for (const text of ["", "{", "null", "[]", '{"type":"delta"}', '{"seq":"8","patch":{}}']) bench.wire.say(text);
    expect(bench.statuses).toEqual([]);
    expect(bench.wires).toHaveLength(1);
  });

  test("after close nothing moves any more", async () => {
    bench.wire.say({ type: "snapshot", seq: 7, status: {} });
    bench.link.close();
    await pass(60_000);
    expect(bench.wires).toHaveLength(1);
    expect(bench.reach).toEqual(["open"]);
  });
});
