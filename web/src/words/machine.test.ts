import { expect, test } from "vitest";
import type { Machine } from "../api/types";
import { connected, linkSpeed, machineCheck, usable } from "./machine";

const machine = (over: Partial<Machine> = {}) => ({ network: [], ...over }) as unknown as Machine;

test("what the machine does not say is not judged", () => {
  expect(machineCheck(machine({ temperatureC: null, undervoltage: null, storage: null }))).toEqual([]);
});

test("each trouble is said with what to do", () => {
  const tones = (over: Partial<Machine>) => machineCheck(machine(over)).map(({ tone }) => tone);
  expect(tones({ storage: { free: 4e9, total: 64e9 } })).toEqual(["warn"]);
  expect(tones({ storage: { free: 0.5e9, total: 64e9 } })).toEqual(["bad"]);
  expect(tones({ storage: { free: 48e9, total: 64e9 } })).toEqual(["good"]);
  expect(tones({ temperatureC: 78, throttleC: 80 })).toEqual(["warn"]);
  expect(tones({ temperatureC: 80, throttleC: 80 })).toEqual(["bad"]);
  expect(tones({ temperatureC: 78, throttleC: null })).toEqual(["good"]);
  expect(tones({ undervoltage: true })).toEqual(["warn"]);
});

test("a link is what carries something and has an address", () => {
  const wire = { name: "eth0", up: true, speedMbps: 1000, addresses: ["fe80::1", "192.168.1.40"] };
  const idle = { name: "wlan0", up: false, speedMbps: null, addresses: [] };
  expect(connected(machine({ network: [wire, idle] }))).toEqual([wire]);
  expect(linkSpeed(wire)).toBe("1 Gb/s");
  expect(linkSpeed(idle)).toBe("–");
  expect(usable(wire.addresses)).toEqual(["192.168.1.40"]);
  expect(usable(["fe80::1"])).toEqual(["fe80::1"]);
});
