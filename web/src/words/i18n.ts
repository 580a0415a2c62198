import { type Args, fill, type FirstTexts, type Key, type MoreTexts, type Params, type Plural } from "./catalogue";

interface Source {
  first: () => Promise<FirstTexts>;
  more: () => Promise<MoreTexts>;
}

/** Every language the page speaks, fetched only when it is chosen. A new one is two files like English's, and two lines here. */
const sources = {
  en: {
    first: async () => (await import("./en")).en,
    more: async () => (await import("./en.more")).enMore,
  },
  de: {
    first: async () => (await import("./de")).de,
    more: async () => (await import("./de.more")).deMore,
  },
  es: {
    first: async () => (await import("./es")).es,
    more: async () => (await import("./es.more")).esMore,
  },
  fr: {
    first: async () => (await import("./fr")).fr,
    more: async () => (await import("./fr.more")).frMore,
  },
  ja: {
    first: async () => (await import("./ja")).ja,
    more: async () => (await import("./ja.more")).jaMore,
  },
} satisfies Record<string, Source>;

export type Language = keyof typeof sources;

/** What the languages call themselves. */
export const languages: Readonly<Record<Language, string>> = {
  en: "English",
  de: "Deutsch",
  es: "Español",
  fr: "Français",
  ja: "日本語",
};

/** The language of the words. */
export let language: Language = "en";

/** The locale of times and numbers: the browser's own where it is of this language, since that knows of 24 or 12 hours. */
export let locale = "en-GB";

let texts: Readonly<Record<string, string | Plural>> = {};
let rest: Promise<void> | null = null;
let plural: Intl.PluralRules | undefined;
let number: Intl.NumberFormat | undefined;

/** Speaks a language from now on, all at once. What is on screen does not change by itself. */
export async function speak(next: Language): Promise<void> {
  if (plural && next === language) return;
  // Parts that are on screen go on being asked for their words until the page is built anew.
  const [first, more] = await Promise.all([sources[next].first(), rest && sources[next].more()]);
  texts = { ...first, ...more };
  rest = more && Promise.resolve();
  language = next;
  locale = wanted().find((tag) => base(tag) === next) ?? next;
  plural = new Intl.PluralRules(next);
  number = new Intl.NumberFormat(locale);
}

/** Fetches all other words of the language that is spoken. Every part of the page that is fetched later waits for them. */
export function speakMore(): Promise<void> {
  const spoken = language;
  rest ??= sources[spoken]
    .more()
    .then((more) => {
      if (spoken === language) texts = { ...texts, ...more };
    })
    .catch((error: unknown) => {
      rest = null;
      throw error;
    });
  return rest;
}

/** The sentence for `key`, its holes filled. */
export function t<K extends Key>(key: K, ...args: Args<K>): string {
  return tell(key, (args[0] ?? {}) as Params<K> & Record<string, string | number>);
}

/** Whether there are words for a code that came from the box. */
export function knows(key: string): key is Key {
  return Object.hasOwn(texts, key);
}

/** As {@link t}, for a key that is made of a code and holes that the box fills. */
export function tell(key: Key, params: Readonly<Record<string, string | number>>): string {
  const text = texts[key];
  if (text === undefined || !plural || !number) throw new Error(`nothing is said for ${key}`);
  return fill(text, params, plural, number);
}

/** The first of the wanted languages that there is, else English. */
export function pick(tags: readonly string[] = wanted()): Language {
  for (const tag of tags) {
    const name = base(tag);
    if (Object.hasOwn(sources, name)) return name as Language;
  }
  return "en";
}

function wanted(): readonly string[] {
  return typeof navigator === "undefined" ? [] : (navigator.languages ?? [navigator.language]);
}

function base(tag: string): string {
  return tag.toLowerCase().split("-")[0] ?? "";
}
