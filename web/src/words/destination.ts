import type { Destination, DestinationStatus, Platform, Status } from "../api/types";
import type { IconName } from "../ui/icons";
import { t } from "./i18n";

/** How a thing stands, said by colour beside its word and its shape. */
export type Tone = "good" | "warn" | "bad" | "quiet";

/** One destination as the page shows it: what is set, what is measured, what is known of its platform. */
export interface Place {
  id: string;
  name: string;
  settings: Destination | undefined;
  status: DestinationStatus;
  platform: Platform | undefined;
}

/** The destinations in their own order; one that is only in the live state yet comes last. */
export function places(status: Status, settings: readonly Destination[], platforms: readonly Platform[]): Place[] {
  const known = new Map(settings.map((one) => [one.id, one]));
  const order = (id: string) => known.get(id)?.position ?? Number.MAX_SAFE_INTEGER;
  return Object.entries(status.destinations)
    .map(([id, one]) => ({
      id,
      name: one.name,
      settings: known.get(id),
      status: one,
      platform: platforms.find((platform) => platform.id === one.platform),
    }))
    .sort((a, b) => order(a.id) - order(b.id));
}

export interface StateWord {
  word: string;
  tone: Tone;
  icon: IconName;
}

/** The state in one or a few words. `now` is the box's time; `started`: *Start sending* was pressed. */
export function stateWord(place: Place, now: number, started = false): StateWord {
  const { status } = place;
  switch (status.state) {
    case "off":
      return { word: t("state.off"), tone: "quiet", icon: "off" };
    case "waiting":
      return {
        word: place.settings?.startMode === "manual" && !started ? t("state.waitingStart") : t("state.waiting"),
        tone: "quiet",
        icon: "clock",
      };
    case "connecting":
      return { word: t("state.connecting"), tone: "quiet", icon: "dots" };
    case "live":
      return isOnlySending(place)
        ? { word: t("state.sending"), tone: "good", icon: "up" }
        : { word: t("state.live"), tone: "good", icon: "check" };
    case "slow":
      return { word: t("state.slow"), tone: "warn", icon: "slow" };
    case "retrying": {
      const left = status.nextTryAt ? Math.ceil((Date.parse(status.nextTryAt) - now) / 1000) : 0;
      return {
        word: left > 0 ? t("state.retryingIn", { seconds: left }) : t("state.retrying"),
        tone: "warn",
        icon: "retry",
      };
    }
    case "failed":
      return { word: t("state.failed"), tone: "bad", icon: "warn" };
  }
}

/** A connection that is kept open while nobody sends: nothing arrives there, and nothing has failed. */
export function heldWord(): StateWord {
  return { word: t("state.held"), tone: "quiet", icon: "pause" };
}

/** The state as it was when the box was last heard of. Claims nothing of now. */
export function lastStateWord(place: Place): StateWord {
  const was = (word: string): StateWord => ({ word, tone: "quiet", icon: "clock" });
  switch (place.status.state) {
    case "live":
    case "slow":
      return was(t("state.wasLive"));
    case "connecting":
      return was(t("state.wasConnecting"));
    case "retrying":
      return was(t("state.wasRetrying"));
    default:
      return { ...stateWord(place, 0), tone: "quiet" };
  }
}

/** Bytes arrive, but the platform is known to wait for a press on its own page and has not said that it is on air. */
export function isOnlySending(place: Place): boolean {
  const press = place.platform?.goesLiveOnIngest;
  return (
    place.status.state === "live" && !place.status.confirmed && (press === "withAutoStart" || press === "afterPress")
  );
}

/** The input that feeds it. */
export function inputOf({ status }: Place): string {
  return status.output.split("/")[0] ?? "";
}

export function isOnAir(place: Place): boolean {
  return place.status.state === "live" || place.status.state === "slow";
}

export function isTrouble(place: Place): boolean {
  return place.status.state === "slow" || place.status.state === "retrying" || place.status.state === "failed";
}

/** What a person can do about a reason, the likeliest help first. */
export type Remedy = "retry" | "key" | "settings" | "page";

export function remedies(place: Place): Remedy[] {
  const { reason, state } = place.status;
  if (!reason || state === "slow") return [];
  switch (reason.code) {
    case "bad_key":
      return ["key", "retry"];
    case "not_started":
      return place.platform?.pressUrl ? ["page", "retry"] : ["retry"];
    case "address_not_allowed":
    case "codec":
    case "tls_name":
    case "tls_untrusted":
      return ["settings", "retry"];
    case "refused":
    case "dns":
      return ["retry", "settings"];
    default:
      return ["retry"];
  }
}

/** Dropped frames in percent of all since the row went on. */
export function droppedPercent(status: DestinationStatus): number {
  const all = status.framesSent + status.framesDropped;
  return all > 0 ? (100 * status.framesDropped) / all : 0;
}
