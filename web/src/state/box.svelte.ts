import { box, liveAddress } from "../api/client";
import { Cancelled, Problem, Unreachable } from "../api/problem";
import type { Destination, Input, Me, Platform, SetupState, Status, System } from "../api/types";
import { type Ear, LiveLink, type Reach, type Wire } from "../live/link";
import {
  heldWord,
  inputOf,
  isOnAir,
  lastStateWord,
  type Place,
  places,
  type StateWord,
  stateWord,
  type Tone,
} from "../words/destination";
import { History, type Trail } from "./history";
import { every } from "./tick";

/** Which door the page stands at. */
export type Phase = "asking" | "away" | "claim" | "signIn" | "in";

const ASK_AGAIN_MS = 2000;

/** All that the page knows of the box: who is signed in, what is set, and the live state. */
class Box {
  phase: Phase = $state("asking");
  setup: SetupState | null = $state.raw(null);
  /** The box was claimed right here, and is being set up. */
  claimedHere = false;
  me: Me | null = $state.raw(null);

  system: System | null = $state.raw(null);

  reach: Reach = $state("joining");
  status: Status | null = $state.raw(null);
  /** When the last message came, by this device's clock, ms. */
  lastSeen: number | null = $state(null);
  /** The box's clock as far as it is known, ms; moves once a second while somebody looks. */
  now: number = $state(Date.now());

  inputs: readonly Input[] = $state.raw([]);
  destinations: readonly Destination[] = $state.raw([]);
  platforms: readonly Platform[] = $state.raw([]);

  readonly places: Place[] = $derived(this.status ? places(this.status, this.destinations, this.platforms) : []);
  /** How each destination that is on stands, in the order of the rows. */
  readonly parts: readonly Tone[] = $derived(
    this.places.filter((place) => place.status.enabled).map((place) => this.stateOf(place).tone),
  );
  /** Where publishers connect; only an owner is told. */
  readonly rtmpPort: number | null = $derived(portOf(this.system?.rtmp));
  /** What people call this box. */
  readonly name: string = $derived(this.system?.boxName ?? this.setup?.boxName ?? location.hostname);
  readonly isOwner: boolean = $derived(this.me?.role === "owner");
  readonly mayOperate: boolean = $derived(this.me !== null && this.me.role !== "viewer");
  /** Whether a press can have an effect at all. */
  readonly reachable: boolean = $derived(this.reach === "open");

  /** Opens while an answer needs the password once more; see {@link withPassword}. */
  asksPassword: { confirmed(): void; cancelled(): void } | null = $state.raw(null);

  #link: LiveLink | null = null;
  readonly #history = new History();
  #askAgain: ReturnType<typeof setTimeout> | undefined;
  /** The box's clock minus this device's, ms. */
  #ahead: number = $state(0);
  /** Which settings the lists were last fetched for. */
  #revision: number | null = null;

  constructor() {
    every(1, () => (this.now = Date.now() + this.#ahead));
  }

  /** How far the box's clock is ahead of this device's, ms. */
  get clockApartMs(): number {
    return this.#ahead;
  }

  /** A destination's state in words, or what it was while the box cannot be reached. */
  stateOf(place: Place): StateWord {
    if (this.reach === "lost") return lastStateWord(place);
    const input = this.status?.inputs[inputOf(place)];
    if (input?.state === "lost" && isOnAir(place)) return heldWord();
    return stateWord(place, this.now, this.status?.broadcast.started);
  }

  /** The last minute of a row's bitrate. */
  trailOf(id: string): Trail {
    // New whenever a message has come.
    void this.status;
    return this.#history.of(id);
  }

  /** Finds out at which door we stand. Asks again until the box answers. */
  async arrive(): Promise<void> {
    clearTimeout(this.#askAgain);
    try {
      this.setup = await box.setup();
      if (this.setup.claimed) await this.enter();
      else this.phase = "claim";
    } catch (error) {
      if (isSignedOut(error)) {
        this.phase = "signIn";
      } else {
        this.phase = "away";
        clearTimeout(this.#askAgain);
        this.#askAgain = setTimeout(() => void this.arrive(), ASK_AGAIN_MS);
      }
    }
  }

  /** Goes in with the cookie that is there; throws where it does not count. */
  async enter(): Promise<void> {
    this.me = await box.me();
    const system = this.isOwner ? box.system() : null;
    [this.system, this.platforms] = await Promise.all([system, box.platforms(), this.refresh()]);
    this.phase = "in";
    this.#link?.close();
    this.#link = new LiveLink({
      dial: openSocket,
      admitted: () => this.#admitted(),
      onStatus: (status) => this.#take(status as unknown as Status),
      onReach: (reach) => (this.reach = reach),
      onDismissed: () => this.leave(),
    });
  }

  async signOut(): Promise<void> {
    try {
      await box.signOut();
    } catch (error) {
      // Whoever is signed out already is where they want to be.
      if (!isSignedOut(error)) throw error;
    }
    this.leave();
  }

  /** Fetches what is set. */
  async refresh(): Promise<void> {
    [this.inputs, this.destinations] = await Promise.all([box.inputs(), box.destinations()]);
  }

  /** The note of who claimed the box has been read. */
  async dismissClaim(): Promise<void> {
    await box.dismissClaim();
    if (this.system) this.system = { ...this.system, claim: null };
  }

  tryNow(): void {
    this.#link?.tryNow();
  }

  /** Does what may need the password once more, and asks for it if so. Rejects with {@link Cancelled} on a no. */
  async withPassword<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof Problem && error.code === "password_needed")) throw error;
    }
    try {
      await new Promise<void>((confirmed, reject) => {
        this.asksPassword = { confirmed, cancelled: () => reject(new Cancelled()) };
      });
    } finally {
      this.asksPassword = null;
    }
    return action();
  }

  #take(status: Status): void {
    this.lastSeen = Date.now();
    this.#ahead = Date.parse(status.time) - this.lastSeen;
    this.now = this.lastSeen + this.#ahead;
    const bitrates = Object.entries(status.destinations).map(([id, one]) => [id, one.bitrateBps]);
    this.#history.take(this.now, Object.fromEntries(bitrates));
    this.status = status;
    if (status.settingsRevision !== this.#revision) {
      this.#revision = status.settingsRevision;
      // Whoever changed it. If this fails, the next message tries again.
      this.#refreshAll().catch(() => (this.#revision = null));
    }
  }

  /** … and what the box is called. */
  async #refreshAll(): Promise<void> {
    await this.refresh();
    if (this.isOwner) this.system = await box.system();
    else this.setup = await box.setup();
  }

  async #admitted(): Promise<boolean> {
    try {
      this.me = await box.me();
      return true;
    } catch (error) {
      return !isSignedOut(error) && !(error instanceof Problem && error.code === "not_claimed");
    }
  }

  /** Forgets everything of this sign-in and asks at the door again. */
  leave(): void {
    this.#link?.close();
    this.#link = null;
    this.asksPassword?.cancelled();
    Object.assign(this, {
      me: null,
      system: null,
      status: null,
      lastSeen: null,
      reach: "joining",
      inputs: [],
      destinations: [],
    });
    this.#history.clear();
    this.#revision = null;
    this.phase = "asking";
    void this.arrive();
  }
}

export const theBox = new Box();

function openSocket(since: number | null, ear: Ear): Wire {
  const socket = new WebSocket(liveAddress(since));
  socket.onmessage = (event) => ear.message(event.data);
  socket.onclose = () => ear.closed();
  return socket;
}

function portOf(address: string | undefined): number | null {
  const port = Number(address?.split(":").at(-1));
  return Number.isInteger(port) && port > 0 ? port : null;
}

/** The sign-in has ended; a wrong password is another matter. */
function isSignedOut(error: unknown): boolean {
  return error instanceof Problem && error.code === "not_signed_in";
}

/** What a press does: whether it is under way, and what went wrong. */
export class Action {
  busy = $state(false);
  error: unknown = $state.raw(null);

  async run(work: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.error = null;
    try {
      await work();
      return true;
    } catch (error) {
      if (isSignedOut(error)) theBox.leave();
      else if (error instanceof Problem || error instanceof Unreachable) this.error = error;
      else if (!(error instanceof Cancelled)) throw error;
      return false;
    } finally {
      this.busy = false;
    }
  }
}
