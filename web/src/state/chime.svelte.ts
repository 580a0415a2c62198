import { WRONG_KINDS, type WrongKind } from "./wrongs";

const KEY = "chime";
/** Two notes, Hz, falling: something needs a look. */
const NOTES = [880, 587] as const;
const NOTE_S = 0.22;

/** The sound that this page makes when something goes wrong; for which kinds of it is chosen per browser. */
class Chime {
  #kinds = $state.raw(stored());
  #context: AudioContext | null = null;

  get kinds(): WrongKind[] {
    return this.#kinds;
  }

  set kinds(kinds: WrongKind[]) {
    this.#kinds = kinds;
    try {
      localStorage.setItem(KEY, kinds.join(" "));
    } catch {
      // No storage: it holds until the page is loaded again.
    }
  }

  /** A browser lets it be heard once somebody has touched the page. */
  ring(): void {
    const context = (this.#context ??= new AudioContext());
    void context.resume();
    NOTES.forEach((frequency, index) => {
      const [tone, gain] = [context.createOscillator(), context.createGain()];
      const start = context.currentTime + index * NOTE_S;
      tone.frequency.value = frequency;
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(0.25, start + 0.02);
      gain.gain.exponentialRampToValueAtTime(0.001, start + NOTE_S);
      tone.connect(gain).connect(context.destination);
      tone.start(start);
      tone.stop(start + NOTE_S);
    });
  }
}

function stored(): WrongKind[] {
  try {
    const names = (localStorage.getItem(KEY) ?? "").split(" ");
    return WRONG_KINDS.filter((kind) => names.includes(kind));
  } catch {
    return [];
  }
}

export const chime = new Chime();
