import { type Json, mergePatch } from "./patch";

/** An open or opening socket. */
export interface Wire {
  close(): void;
}

/** Where a socket tells what it hears. */
export interface Ear {
  message(data: unknown): void;
  closed(): void;
}

/** `joining` until the first state has come; `lost` once nothing has come for {@link SILENCE_MS}. */
export type Reach = "joining" | "open" | "lost";

export interface LinkOptions {
  /** Opens a socket that goes on after `since`, or starts with a snapshot for `null`. */
  dial(since: number | null, ear: Ear): Wire;
  /** Asks the box by other means whether this sign-in still counts. Only a clear no is `false`. */
  admitted(): Promise<boolean>;
  onStatus(status: Json): void;
  onReach(reach: Reach): void;
  /** The sign-in has ended. The link is closed by then. */
  onDismissed(): void;
}

/** The box speaks once a second; after this much silence it counts as out of reach. */
export const SILENCE_MS = 3000;
/** Pause before each new try. The first is short: most often only the socket was dropped. */
export const RETRY_MS = [250, 1000, 2000] as const;
/** How long one try may take, from dialling to the first message. */
export const DIAL_MS = 5000;
/** A timer that is this late means that the machine slept or the tab was frozen, and says nothing of the box. */
const OVERSLEPT_MS = 1500;

/**
 * Keeps the live state: takes the snapshot, applies deltas in order, goes on after a gap or a lost socket where it
 * stopped, and starts afresh where that cannot be done.
 */
export class LiveLink {
  readonly #options: LinkOptions;
  #wire: Wire | null = null;
  /** Whether this socket has said anything yet. */
  #heard = false;
  #status: Json | undefined;
  #seq: number | null = null;
  #reach: Reach = "joining";
  /** Tries since the last message. */
  #tries = 0;
  #silence: Timer | undefined;
  #dialling: Timer | undefined;
  #retry: Timer | undefined;
  #closed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#listenForSilence();
    this.#dial();
  }

  close(): void {
    this.#closed = true;
    this.#hangUp();
    for (const timer of [this.#silence, this.#retry]) clearTimeout(timer);
  }

  /** Dials now instead of waiting for the next try. */
  tryNow(): void {
    if (this.#closed || this.#reach !== "lost") return;
    this.#hangUp();
    clearTimeout(this.#retry);
    this.#dial();
  }

  #dial(): void {
    this.#heard = false;
    // What a socket says after it was hung up is nobody's business any more.
    const ear: Ear = {
      message: (data) => this.#wire === wire && this.#take(data),
      closed: () => this.#wire === wire && this.#redial(),
    };
    const wire = this.#options.dial(this.#seq, ear);
    this.#wire = wire;
    this.#dialling = setTimeout(() => this.#redial(), DIAL_MS);
  }

  #hangUp(): void {
    clearTimeout(this.#dialling);
    const wire = this.#wire;
    this.#wire = null;
    wire?.close();
  }

  #redial(): void {
    this.#hangUp();
    const pause = RETRY_MS[Math.min(this.#tries, RETRY_MS.length - 1)];
    this.#tries += 1;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(async () => {
      // A browser does not tell a script why an upgrade was refused, so the question is put by an ordinary request.
      const admitted = await this.#options.admitted();
      if (this.#closed || this.#wire) return;
      if (admitted) {
        this.#dial();
      } else {
        this.close();
        this.#options.onDismissed();
      }
    }, pause);
  }

  #take(data: unknown): void {
    const message = parse(data);
    if (message === null) return;
    clearTimeout(this.#dialling);
    this.#heard = true;
    this.#listenForSilence();

    if (message.type === "snapshot") {
      this.#accept(message.seq, message.status);
    } else if (this.#seq === null || message.seq > this.#seq + 1) {
      // A delta is missing. Ask for what came since; if even that leaves a gap, for everything.
      if (this.#tries > 0) this.#seq = null;
      this.#redial();
    } else if (message.seq === this.#seq + 1) {
      this.#accept(message.seq, mergePatch(this.#status, message.patch));
    }
    // What is older has been applied already.
  }

  #accept(seq: number, status: Json): void {
    this.#seq = seq;
    this.#status = status;
    this.#tries = 0;
    this.#options.onStatus(status);
    this.#tell("open");
  }

  #listenForSilence(): void {
    clearTimeout(this.#silence);
    const due = Date.now() + SILENCE_MS;
    this.#silence = setTimeout(() => {
      if (Date.now() - due > OVERSLEPT_MS) return this.#listenForSilence();
      this.#tell("lost");
      // A box without power sends no goodbye: the old socket would stay open for minutes.
      if (this.#wire && this.#heard) this.#redial();
    }, SILENCE_MS);
  }

  #tell(reach: Reach): void {
    if (reach === this.#reach) return;
    this.#reach = reach;
    this.#options.onReach(reach);
  }
}

type Timer = ReturnType<typeof setTimeout>;

type Message = { type: "snapshot"; seq: number; status: Json } | { type: "delta"; seq: number; patch: Json };

function parse(data: unknown): Message | null {
  if (typeof data !== "string") return null;
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || !("seq" in value) || typeof value.seq !== "number") return null;
  if ("status" in value) return { type: "snapshot", seq: value.seq, status: value.status as Json };
  if ("patch" in value) return { type: "delta", seq: value.seq, patch: value.patch as Json };
  return null;
}
