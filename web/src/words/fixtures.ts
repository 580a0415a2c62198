import type { DestinationStatus, InputStatus, Status } from "../api/types";
import { type Place, places } from "./destination";

// A live state for tests, as the contract's example has it, each part to be overridden.

export const NOW = Date.parse("2026-11-21T20:46:12Z");

export function destination(over: Partial<DestinationStatus> = {}): DestinationStatus {
  return {
    name: "Club",
    platform: "custom",
    output: "main/passthrough",
    enabled: true,
    state: "live",
    confirmed: false,
    since: "2026-11-21T20:00:00Z",
    tries: 0,
    framesSent: 1000,
    framesDropped: 0,
    bytesSent: 1_000_000,
    ...over,
  };
}

export function input(over: Partial<InputStatus> = {}): InputStatus {
  return { state: "receiving", since: "2026-11-21T19:00:00Z", tracks: [], viewers: 0, advice: [], alarms: [], ...over };
}

export function status(destinations: Record<string, DestinationStatus>, over: Partial<Status> = {}): Status {
  return {
    seq: 1,
    time: "2026-11-21T20:46:12Z",
    inputs: { main: input() },
    destinations,
    outputs: {},
    broadcast: { started: false, stopped: false },
    jobs: {},
    board: { alarms: [] },
    settingsRevision: 1,
    ...over,
  };
}

/** What `headline` is told, with all that is not given at its usual. */
export function known(
  all: Status,
  settings: Parameters<typeof places>[1] = [],
  platforms: Parameters<typeof places>[2] = [],
) {
  return { status: all, places: places(all, settings, platforms) as Place[], now: NOW };
}
