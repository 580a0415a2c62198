import { Problem, Unreachable } from "./problem";
import type * as api from "./types";

const ROOT = "/api/v1";
/** No answer of the API takes long; what does is a job. */
const PATIENCE_MS = 10_000;

type Method = "GET" | "POST" | "PATCH" | "DELETE";

async function send<T>(method: Method, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method, signal: AbortSignal.timeout(PATIENCE_MS), cache: "no-store" };
  if (method !== "GET") {
    init.headers = { "content-type": "application/json" };
    if (method !== "DELETE") init.body = JSON.stringify(body ?? {});
  }
  let response: Response;
  let text: string;
  try {
    response = await fetch(ROOT + path, init);
    text = await response.text();
  } catch (cause) {
    throw new Unreachable(String(cause), { cause });
  }
  if (!response.ok) throw new Problem(response.status, parsed(text), response.headers.get("retry-after"));
  return parsed(text) as T;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const id = encodeURIComponent;

/** The endpoints that the page uses, one function each. */
export const box = {
  setup: () => send<api.SetupState>("GET", "/setup"),
  claim: (request: api.SetupRequest) => send<unknown>("POST", "/setup", request),
  signIn: (username: string, password: string) => send<unknown>("POST", "/login", { username, password }),
  signOut: () => send<unknown>("POST", "/logout"),
  me: () => send<api.Me>("GET", "/me"),
  confirm: (password: string) => send<unknown>("POST", "/me/confirm", { password }),

  system: () => send<api.System>("GET", "/system"),
  dismissClaim: () => send<unknown>("DELETE", "/system/claim"),

  inputs: () => send<api.Input[]>("GET", "/inputs"),
  inputKey: (input: string) => send<{ key: string }>("POST", `/inputs/${id(input)}/key`),
  rotateKey: (input: string) => send<unknown>("POST", `/inputs/${id(input)}/rotate-key`),
  sessions: () => send<api.Session[]>("GET", "/sessions"),
  disconnect: (session: string) => send<unknown>("DELETE", `/sessions/${id(session)}`),
  refusals: () => send<api.Refusal[]>("GET", "/refusals"),
  block: (address: string) => send<unknown>("POST", `/refusals/${id(address)}/block`),

  platforms: () => send<api.Platform[]>("GET", "/platforms"),
  destinations: () => send<api.Destination[]>("GET", "/destinations"),
  addDestination: (destination: api.DestinationEdit) => send<api.Destination>("POST", "/destinations", destination),
  editDestination: (destination: string, edit: api.DestinationEdit) =>
    send<api.Destination>("PATCH", `/destinations/${id(destination)}`, edit),
  deleteDestination: (destination: string) => send<unknown>("DELETE", `/destinations/${id(destination)}`),
  switchDestination: (destination: string, on: boolean) =>
    send<api.Destination>("POST", `/destinations/${id(destination)}/${on ? "on" : "off"}`),
  retryDestination: (destination: string) => send<api.Destination>("POST", `/destinations/${id(destination)}/retry`),

  startBroadcast: () => send<unknown>("POST", "/broadcast/start"),
  stopBroadcast: () => send<unknown>("POST", "/broadcast/stop"),

  events: (limit: number, before?: number) =>
    send<api.BoxEvent[]>("GET", `/events?limit=${limit}${before === undefined ? "" : `&before=${before}`}`),
};

/** The live socket's address; `since` is the number of the last message that was applied. */
export function liveAddress(since: number | null): string {
  const url = new URL(`${ROOT}/live`, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  if (since !== null) url.searchParams.set("since", String(since));
  return url.href;
}
