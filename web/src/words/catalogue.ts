import type { en } from "./en";
import type { enMore } from "./en.more";

/** All that English says. */
type English = typeof en & typeof enMore;

/** Forms of one sentence by number, as `Intl.PluralRules` names them. */
export type Plural = { other: string } & { [form in Intl.LDMLPluralRule]?: string };

/** What every language has to say: the same keys as English, each with the same kind of text. */
export type Texts<E> = { readonly [K in keyof E]: E[K] extends string ? string : Plural };

/** What is needed for the first screen. */
export type FirstTexts = Texts<typeof en>;

/** The rest. */
export type MoreTexts = Texts<typeof enMore>;

export type Key = keyof English;

type Text<K extends Key> = English[K] extends { other: infer Other } ? Other : English[K];

type Holes<S> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Holes<Rest> : never;

/** What a sentence wants to be told: its `{holes}`, and `count` where it has plural forms. */
export type Params<K extends Key> = { [Name in Holes<Text<K>>]: string | number } & (English[K] extends string
  ? unknown
  : { count: number });

/** No second argument for a sentence without holes. */
export type Args<K extends Key> =
  unknown extends Params<K> ? [] : keyof Params<K> extends never ? [] : [params: Params<K>];

export function fill(
  text: string | Plural,
  params: Readonly<Record<string, string | number>>,
  plural: Intl.PluralRules,
  number: Intl.NumberFormat,
): string {
  const chosen = typeof text === "string" ? text : (text[plural.select(Number(params["count"]))] ?? text.other);
  return chosen.replace(/\{(\w+)\}/g, (hole, name: string) => {
    const value = params[name];
    return value === undefined ? hole : typeof value === "number" ? number.format(value) : value;
  });
}
