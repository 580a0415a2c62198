import { type Args, type Catalogue, fill, type Key, type Params } from "./catalogue";
import { en } from "./en";

/** Every language the page speaks. A new one is a file like `en.ts` and a line here. */
const catalogues = { en } satisfies Record<string, Catalogue>;

export type Language = keyof typeof catalogues;

/** The language of the words. */
export const language: Language = pick(typeof navigator === "undefined" ? [] : navigator.languages);

/** The locale of times and numbers: the browser's own, which knows of 24 or 12 hours. */
export const locale: string = typeof navigator === "undefined" ? "en-GB" : navigator.language;

const plural = new Intl.PluralRules(language);
const number = new Intl.NumberFormat(locale);

/** The sentence for `key`, its holes filled. */
export function t<K extends Key>(key: K, ...args: Args<K>): string {
  const texts: Catalogue = catalogues[language];
  return fill(texts[key], (args[0] ?? {}) as Params<K> & Record<string, string | number>, plural, number);
}

/** The first of the wanted languages that there is, else English. */
export function pick(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split("-")[0] ?? "";
    if (Object.hasOwn(catalogues, base)) return base as Language;
  }
  return "en";
}
