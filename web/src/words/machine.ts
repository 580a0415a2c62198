import type { Machine } from "../api/types";
import { decimal, type Quantity, size, UNKNOWN } from "./format";
import { t } from "./i18n";
import { toneOfDisk, toneOfHeat } from "./limits";
import type { Finding } from "./picture-check";

type Interface = Machine["network"][number];

/** Those that are up and have an address, what people call the speed beside them. */
export function connected({ network }: Machine): Interface[] {
  return network.filter(({ up, addresses }) => up && addresses.length > 0);
}

/** `1 Gb/s`; wireless and virtual ones do not say. */
export function linkSpeed({ speedMbps }: Interface): string {
  if (!speedMbps) return UNKNOWN;
  return speedMbps >= 1000 ? `${decimal(speedMbps / 1000)} Gb/s` : `${decimal(speedMbps)} Mb/s`;
}

/** A temperature, °C. */
export function degrees(value: number | null | undefined): Quantity {
  return typeof value === "number" ? { value: decimal(Math.round(value)), unit: "°C" } : { value: UNKNOWN, unit: "" };
}

/** How many programs want to run. */
export function load(value: number | null | undefined): Quantity {
  return { value: typeof value === "number" ? decimal(value) : UNKNOWN, unit: "" };
}

/** Addresses that a person can use: those of one link only, which need more words, come last or not at all. */
export function usable(addresses: readonly string[]): string[] {
  const far = addresses.filter((one) => !/^fe80:/i.test(one));
  return far.length > 0 ? far : [...addresses];
}

/** What was looked at on the machine; what it does not say is left out. */
export function machineCheck(machine: Machine): Finding[] {
  const { storage, temperatureC, undervoltage } = machine;
  const found: Finding[] = [];
  if (storage) {
    const params = { free: size(storage.free), total: size(storage.total) };
    const tone = toneOfDisk(storage.free);
    found.push(
      tone !== "quiet"
        ? { tone, what: t("check.spaceLittle", params), note: t("check.spaceLittleDo") }
        : { tone: "good", what: t("check.space", params) },
    );
  }
  if (typeof temperatureC === "number") {
    const tone = toneOfHeat(machine);
    const degrees = decimal(Math.round(temperatureC));
    found.push(
      tone !== "quiet"
        ? { tone, what: t("check.hot", { degrees }), note: t("check.hotDo") }
        : { tone: "good", what: t("check.cool", { degrees }) },
    );
  }
  if (typeof undervoltage === "boolean") {
    found.push(
      undervoltage
        ? { tone: "warn", what: t("check.powerLow"), note: t("check.powerLowDo") }
        : { tone: "good", what: t("check.power") },
    );
  }
  return found;
}
