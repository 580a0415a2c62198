import { type Language, languages, pick, speak } from "../words/i18n";

const KEY = "language";

/** The language of this browser: chosen here once, else the first of the browser's own that there is. */
class Tongue {
  /** Changes once the words are there; the page is built anew for it. */
  current: Language | null = $state(null);

  async arrive(): Promise<void> {
    await this.#speak(stored() ?? pick());
  }

  async choose(language: Language): Promise<void> {
    try {
      localStorage.setItem(KEY, language);
    } catch {
      // No storage: it holds until the page is loaded again.
    }
    await this.#speak(language);
  }

  async #speak(language: Language): Promise<void> {
    await speak(language);
    document.documentElement.lang = language;
    this.current = language;
  }
}

function stored(): Language | null {
  try {
    const name = localStorage.getItem(KEY) ?? "";
    return Object.hasOwn(languages, name) ? (name as Language) : null;
  } catch {
    return null;
  }
}

export const tongue = new Tongue();
