import { t } from "./i18n";

export const SHORTEST = 10;

/** How strong a password is, 0 to 4, and the same in words. A help for choosing, not a rule: the rule is the length. */
export function strength(password: string): { level: 0 | 1 | 2 | 3 | 4; words: string } {
  const letters = [...password];
  if (letters.length < SHORTEST) return { level: 0, words: t("strength.short", { count: SHORTEST - letters.length }) };
  // Bits if each letter were chosen from the kinds that occur, less for letters that repeat.
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].filter((kind) => kind.test(password)).length;
  const distinct = new Set(letters).size;
  const bits = Math.min(letters.length, distinct * 2) * [3, 3.6, 4.2, 4.8][kinds - 1]!;
  if (distinct < 5 || bits < 34) return { level: 1, words: t("strength.weak") };
  if (bits < 46) return { level: 2, words: t("strength.fair") };
  if (bits < 60) return { level: 3, words: t("strength.good") };
  return { level: 4, words: t("strength.strong") };
}
