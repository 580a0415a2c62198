import { en } from "./en";
import type { Key } from "./catalogue";
import { t } from "./i18n";

type RefusalKey = Extract<Key, `refusal.${string}`>;

/** Why somebody was refused, in words; a code that this page does not know yet is shown as it is. */
export function refusalReason(code: string): string {
  const key = `refusal.${code}`;
  return Object.hasOwn(en, key) ? t(key as RefusalKey) : code;
}
