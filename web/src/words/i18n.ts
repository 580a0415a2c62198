import { type Args, type Catalogue, fill, type Key, type Params } from "./catalogue";

/** Every language the page speaks, each loaded only when it is chosen. A new one is a file like `en.ts` and two lines here. */
const catalogues = {
  en: async () => (await import("./en")).en,
} satisfies Record<string, () => Promise<Catalogue>>;

export type Language = keyof typeof catalogues;

/** What the languages call themselves. */
export const languages: Readonly<Record<Language, string>> = {
  en: "English",
};

/** The language of the words. */
export let language: Language = "en";

/** The locale of times and numbers: the browser's own where it is of this language, since that knows of 24 or 12 hours. */
export let locale = "en-GB";

let texts: Catalogue;
let plural: Intl.PluralRules;
let number: Intl.NumberFormat;

/** Loads a language and speaks it from now on. What is on screen already does not change by itself. */
export async function speak(next: Language): Promise<void> {
  texts = await catalogues[next]();
  language = next;
  locale = wanted().find((tag) => base(tag) === next) ?? next;
  plural = new Intl.PluralRules(next);
  number = new Intl.NumberFormat(locale);
}

/** The sentence for `key`, its holes filled. */
export function t<K extends Key>(key: K, ...args: Args<K>): string {
  return fill(texts[key], (args[0] ?? {}) as Params<K> & Record<string, string | number>, plural, number);
}

/** Whether there are words for a code that came from the box. */
export function knows(key: string): key is Key {
  return Object.hasOwn(texts, key);
}

/** As {@link t}, for a key that is made of a code and holes that the box fills. */
export function tell(key: Key, params: Readonly<Record<string, string | number>>): string {
  return fill(texts[key], params, plural, number);
}

/** The first of the wanted languages that there is, else English. */
export function pick(tags: readonly string[] = wanted()): Language {
  for (const tag of tags) {
    const name = base(tag);
    if (Object.hasOwn(catalogues, name)) return name as Language;
  }
  return "en";
}

function wanted(): readonly string[] {
  return typeof navigator === "undefined" ? [] : (navigator.languages ?? [navigator.language]);
}

function base(tag: string): string {
  return tag.toLowerCase().split("-")[0] ?? "";
}
