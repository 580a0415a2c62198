import type { Listener } from "../api/types";
import { knows, t, tell } from "../words/i18n";

export type Tried = NonNullable<Listener["last"]>;

/** What became of telling somebody, in the reader's language; what the other server answered stays in its own words. */
export function triedWords({ code, taken, sentence }: Tried, name: string): string {
  if (taken) return t("tell.taken", { name });
  const key = `reason.${code}`;
  return knows(key) ? tell(key, { name }) : sentence;
}
