import type { Listener } from "../api/types";
import { t } from "../words/i18n";

export type EventKind = Listener["kinds"][number];

/** Kinds of events, those first that most people want to hear of. */
export function kindNames(): Record<EventKind, string> {
  return {
    destination_failed: t("kind.destination_failed"),
    stream_lost: t("kind.stream_lost"),
    picture_and_sound: t("kind.picture_and_sound"),
    destination_trouble: t("kind.destination_trouble"),
    box: t("kind.box"),
    box_trouble: t("kind.box_trouble"),
    stream: t("kind.stream"),
    destination_live: t("kind.destination_live"),
    refused: t("kind.refused"),
    accounts: t("kind.accounts"),
  };
}

/** What is told if nobody chooses. */
export const USUAL: readonly EventKind[] = [
  "destination_failed",
  "stream_lost",
  "picture_and_sound",
  "box",
  "box_trouble",
];
