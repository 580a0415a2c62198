import type { Place } from "./destination";
import { knows, tell } from "./i18n";

/** Why a destination is not live, in the reader's language; what this page does not know yet, as the box says it. */
export function reasonSentence({ name, status }: Pick<Place, "name" | "status">): string {
  const { reason } = status;
  if (!reason) return "";
  const key = `reason.${reason.code}`;
  return knows(key) ? tell(key, { name }) : reason.sentence;
}
