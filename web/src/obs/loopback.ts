import { sha256 } from "./sha256";

// OBS on this very device, set up by the page itself, for where the box cannot reach it: obs-websocket v5.

const ADDRESS = "ws://127.0.0.1:4455";
/** How long OBS may take for an answer, ms. */
const PATIENCE_MS = 6000;
const WRONG_PASSWORD = 4009;
const IS_STREAMING = 500;

/** As the box names what goes wrong with OBS. */
export type ObsFault = "obs_unreachable" | "obs_wrong_password" | "obs_live" | "obs_unexpected";

export class ObsRefused extends Error {
  readonly fault: ObsFault;

  constructor(fault: ObsFault) {
    super(fault);
    this.fault = fault;
  }
}

/** OBS's own setting of where it streams to. */
export interface Service {
  streamServiceType: string;
  streamServiceSettings: object;
}

export const customService = (server: string, key: string): Service => ({
  streamServiceType: "rtmp_custom",
  streamServiceSettings: { server, key, use_auth: false },
});

/**
 * Gives OBS a service and answers with its version and what it had before. `service` is asked for once OBS has taken the
 * password: it holds a key. Throws {@link ObsRefused}.
 */
export async function setService(
  pasted: string,
  service: () => Promise<Service>,
): Promise<{ version: string; before: Service }> {
  const password = pasted.startsWith("obsws://") ? pasted.split("/").slice(3).join("/") : pasted;
  const obs = new Conversation(password);
  try {
    await obs.opened;
    const { obsVersion } = await obs.ask<{ obsVersion: string }>("GetVersion");
    const before = await obs.ask<Service>("GetStreamServiceSettings");
    await obs.ask("SetStreamServiceSettings", await service());
    return { version: obsVersion, before };
  } finally {
    obs.close();
  }
}

/** The proof that somebody knows the password, without telling it. */
export function proof(password: string, salt: string, challenge: string): string {
  return hash(hash(password + salt) + challenge);
}

function hash(text: string): string {
  return btoa(String.fromCharCode(...sha256(new TextEncoder().encode(text))));
}

/** What OBS says, as far as it is listened to. */
interface Heard {
  op: number;
  d: {
    authentication?: { challenge: string; salt: string };
    requestStatus?: { result: boolean; code: number };
    responseData?: unknown;
  };
}

class Conversation {
  readonly opened: Promise<unknown>;
  readonly #socket: WebSocket;
  #late: ReturnType<typeof setTimeout> | undefined;
  /** Who waits for the next word. There is one question at a time. */
  #waiting: { resolve(heard: unknown): void; reject(error: ObsRefused): void } | null = null;

  constructor(password: string) {
    this.#socket = new WebSocket(ADDRESS, "obswebsocket.json");
    this.opened = this.#next();
    let greeted = false;
    this.#socket.onmessage = ({ data }) => {
      greeted = true;
      this.#hear(String(data), password);
    };
    this.#socket.onclose = ({ code }) =>
      this.#fail(code === WRONG_PASSWORD ? "obs_wrong_password" : greeted ? "obs_unexpected" : "obs_unreachable");
  }

  ask<T>(requestType: string, requestData?: object): Promise<T> {
    const answer = this.#next() as Promise<T>;
    this.#say(6, { requestType, requestId: requestType, requestData });
    return answer;
  }

  close(): void {
    clearTimeout(this.#late);
    this.#socket.onclose = null;
    this.#socket.close();
  }

  #hear(data: string, password: string): void {
    let heard: Heard;
    try {
      heard = JSON.parse(data) as Heard;
    } catch {
      return this.#fail("obs_unexpected");
    }
    const { authentication, requestStatus, responseData } = heard.d ?? {};
    if (heard.op === 0) {
      const { challenge, salt } = authentication ?? {};
      const known = challenge && salt ? { authentication: proof(password, salt, challenge) } : {};
      this.#say(1, { rpcVersion: 1, eventSubscriptions: 0, ...known });
    } else if (heard.op === 2) {
      this.#settle({});
    } else if (heard.op === 7) {
      if (requestStatus?.result) this.#settle(responseData);
      else this.#fail(requestStatus?.code === IS_STREAMING ? "obs_live" : "obs_unexpected");
    }
  }

  #say(op: number, d: object): void {
    this.#socket.send(JSON.stringify({ op, d }));
  }

  #next(): Promise<unknown> {
    clearTimeout(this.#late);
    this.#late = setTimeout(() => this.#fail("obs_unreachable"), PATIENCE_MS);
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  #settle(value: unknown): void {
    clearTimeout(this.#late);
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve(value);
  }

  #fail(fault: ObsFault): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(new ObsRefused(fault));
    this.close();
  }
}
