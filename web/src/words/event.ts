import type { BoxEvent } from "../api/types";
import { knows, t, tell } from "./i18n";
import { refusalReason } from "./refusal";

/** What happened, in the reader's language; what this page does not know yet, as the box says it. */
export function eventSentence(event: BoxEvent): string {
  const given = event.params as Readonly<Record<string, string | number | boolean>>;
  const key = `event.${given["unclean"] === true ? "box_restarted" : event.code}`;
  if (!knows(key)) return event.sentence;
  const params: Record<string, string | number> = {
    name: t("event.place"),
    program: t("event.program"),
    by: t("event.somebody"),
    peer: t("event.something"),
    ...(given as Record<string, string | number>),
    count: Number(given["count"] ?? 1),
  };
  params["peer"] = String(params["peer"]).replace(/:\d+$/, "");
  const role = `role.${given["role"]}`;
  if (knows(role)) params["role"] = tell(role, {});
  const reason = String(given["reason"] ?? "");
  if (event.code.startsWith("publisher_")) {
    params["reason"] = refusalReason(reason);
  } else {
    const why = `reason.${reason}`;
    params["why"] = knows(why) ? tell(why, { name: params["name"] ?? "" }) : "";
  }
  return tell(key, params).trim();
}
