import { knows, tell } from "./i18n";

/** Why somebody was refused, in words; a code that this page does not know yet is shown as it is. */
export function refusalReason(code: string): string {
  const key = `refusal.${code}`;
  return knows(key) ? tell(key, {}) : code;
}
