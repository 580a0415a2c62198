/** Between two announcements, ms: whoever listens is not talked over. */
const PAUSE_MS = 5000;

/**
 * What has changed, to be spoken: each thing once, in its newest words, and all of a while together. What has changed
 * back before it was spoken is not spoken of at all.
 */
export class Announcer {
  readonly #spoken = new Map<string, string>();
  readonly #wanted = new Map<string, string>();
  #last = -Infinity;

  /**
   * Takes how everything stands at `now`, ms: by a name of its own what would be said, after what tells whether that is new.
   * Answers with what is to be said, or `null`. What is new to the page is known to whoever reads it, and not announced.
   */
  note(now: number, all: Readonly<Record<string, readonly [key: string, words: string]>>): string | null {
    for (const [name, [key, words]] of Object.entries(all)) {
      if (!this.#spoken.has(name)) this.#spoken.set(name, key);
      if (this.#spoken.get(name) === key) this.#wanted.delete(name);
      else this.#wanted.set(name, words);
    }
    for (const name of [...this.#spoken.keys()]) {
      if (name in all) continue;
      this.#spoken.delete(name);
      this.#wanted.delete(name);
    }
    if (this.#wanted.size === 0 || now - this.#last < PAUSE_MS) return null;
    this.#last = now;
    const said = [...this.#wanted.values()].join(" ");
    for (const name of this.#wanted.keys()) this.#spoken.set(name, all[name]?.[0] ?? "");
    this.#wanted.clear();
    return said;
  }
}
