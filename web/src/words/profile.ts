import type { Profile, ProfileRow } from "../api/types";
import type { IconName } from "../ui/icons";
import type { Tone } from "./destination";
import { t } from "./i18n";

type FieldChange = ProfileRow["fields"][number];

/** What becomes of a row, as a word with its shape and colour. */
export function changeWord({ change, done }: ProfileRow): { word: string; tone: Tone; icon: IconName } {
  if (done) return { word: t("profiles.rowDone"), tone: "good", icon: "check" };
  switch (change) {
    case "add":
      return { word: t("profiles.rowAdd"), tone: "quiet", icon: "plus" };
    case "change":
      return { word: t("profiles.rowChange"), tone: "quiet", icon: "retry" };
    case "off":
      return { word: t("profiles.rowOff"), tone: "quiet", icon: "off" };
    case "same":
      return { word: t("profiles.rowSame"), tone: "quiet", icon: "check" };
  }
}

/** One difference: `Stream key: …7Q2x → …ab12`. */
export function fieldWords({ field, now, then }: FieldChange): string {
  return t("profiles.field", { field: fieldName(field), now: value(field, now), then: value(field, then) });
}

/** How many of its destinations are on. */
export function switchedOn({ destinations }: Profile): number {
  return destinations.filter(({ enabled }) => enabled).length;
}

function fieldName(field: string): string {
  const names: Record<string, string> = {
    enabled: t("profiles.switch"),
    name: t("editor.name"),
    platform: t("editor.platform"),
    url: t("editor.url"),
    backupUrl: t("editor.backup"),
    key: t("editor.key"),
    output: t("editor.output"),
    startMode: t("editor.start"),
    retryForS: t("editor.retry"),
    username: t("editor.username"),
    password: t("editor.password"),
    allowLocal: t("editor.allowLocal"),
    position: t("profiles.position"),
  };
  return names[field] ?? field;
}

function value(field: string, given: unknown): string {
  if (given === null || given === undefined || given === "") return "–";
  if (typeof given === "boolean") return given ? t("common.on") : t("common.off");
  if (given === "withStream") return t("editor.startWithStream");
  if (given === "manual") return t("editor.startManual");
  if (field === "retryForS") return t("editor.retrySeconds", { count: Number(given) });
  return String(given);
}
