import { call, fetchFile } from "./request";
import type {
  DestinationPatch,
  InstallOn,
  ListenerPatch,
  NewDestination,
  NewListener,
  NewToken,
  NewUser,
  NewWatchLink,
  SetupRequest,
  SystemPatch,
  UserPatch,
} from "./types";

/** The endpoints that the page uses, by the names it uses. */
export const box = {
  setup: () => call("get", "/api/v1/setup"),
  claim: (body: SetupRequest) => call("post", "/api/v1/setup", { body }),
  signIn: (username: string, password: string) => call("post", "/api/v1/login", { body: { username, password } }),
  signOut: () => call("post", "/api/v1/logout"),
  me: () => call("get", "/api/v1/me"),
  confirm: (password: string) => call("post", "/api/v1/me/confirm", { body: { password } }),

  changePassword: (currentPassword: string, newPassword: string) =>
    call("post", "/api/v1/me/password", { body: { currentPassword, newPassword } }),

  users: () => call("get", "/api/v1/users"),
  addUser: (body: NewUser) => call("post", "/api/v1/users", { body }),
  editUser: (id: string, body: UserPatch) => call("patch", "/api/v1/users/{id}", { path: { id }, body }),
  resetUser: (id: string, password: string) =>
    call("post", "/api/v1/users/{id}/reset", { path: { id }, body: { password } }),
  deleteUser: (id: string) => call("delete", "/api/v1/users/{id}", { path: { id } }),
  signIns: () => call("get", "/api/v1/signins"),
  endSignIns: (keep?: "current") => call("delete", "/api/v1/signins", { query: keep ? { keep } : {} }),
  endSignInsOf: (id: string) => call("delete", "/api/v1/users/{id}/signins", { path: { id } }),
  endSignIn: (id: string) => call("delete", "/api/v1/signins/{id}", { path: { id } }),
  tokens: () => call("get", "/api/v1/tokens"),
  makeToken: (body: NewToken) => call("post", "/api/v1/tokens", { body }),
  deleteToken: (id: string) => call("delete", "/api/v1/tokens/{id}", { path: { id } }),

  system: () => call("get", "/api/v1/system"),
  editSystem: (body: SystemPatch) => call("patch", "/api/v1/system", { body }),
  machine: () => call("get", "/api/v1/system/machine"),
  dismissClaim: () => call("delete", "/api/v1/system/claim"),

  inputs: () => call("get", "/api/v1/inputs"),
  inputKey: (id: string) => call("post", "/api/v1/inputs/{id}/key", { path: { id } }),
  rotateKey: (id: string) => call("post", "/api/v1/inputs/{id}/rotate-key", { path: { id } }),
  obsKept: (id: string) => call("get", "/api/v1/inputs/{id}/obs", { path: { id } }),
  setUpObs: (id: string, password: string) =>
    call("post", "/api/v1/inputs/{id}/obs", { path: { id }, body: password === "" ? {} : { password } }),
  restoreObs: (id: string, password: string) =>
    call("post", "/api/v1/inputs/{id}/obs/restore", { path: { id }, body: password === "" ? {} : { password } }),
  alarms: (id: string) => call("get", "/api/v1/inputs/{id}/alarms", { path: { id } }),
  muteAlarms: (id: string, muted: string[]) =>
    call("patch", "/api/v1/inputs/{id}/alarms", { path: { id }, body: { muted } }),
  sessions: () => call("get", "/api/v1/sessions"),
  disconnect: (id: string) => call("delete", "/api/v1/sessions/{id}", { path: { id } }),
  refusals: () => call("get", "/api/v1/refusals"),
  block: (address: string) => call("post", "/api/v1/refusals/{address}/block", { path: { address } }),
  unblock: (address: string) => call("delete", "/api/v1/refusals/{address}/block", { path: { address } }),

  profiles: () => call("get", "/api/v1/profiles"),
  addProfile: (name: string) => call("post", "/api/v1/profiles", { body: { name } }),
  saveProfile: (id: string) => call("post", "/api/v1/profiles/{id}/save", { path: { id } }),
  deleteProfile: (id: string) => call("delete", "/api/v1/profiles/{id}", { path: { id } }),
  compareProfile: (id: string) => call("get", "/api/v1/profiles/{id}/compare", { path: { id } }),
  switchProfile: (id: string, rows: string[]) =>
    call("post", "/api/v1/profiles/{id}/switch", { path: { id }, body: { rows } }),
  undoable: () => call("get", "/api/v1/profiles/undo"),
  undo: () => call("post", "/api/v1/profiles/undo"),
  exportProfile: (id: string, password: string) =>
    fetchFile("/api/v1/profiles/{id}/export", { path: { id }, body: { password } }),
  importProfile: (file: string, password: string) =>
    call("post", "/api/v1/profiles/import", { body: { file, password } }),

  listeners: () => call("get", "/api/v1/notifications"),
  addListener: (body: NewListener) => call("post", "/api/v1/notifications", { body }),
  editListener: (id: string, body: ListenerPatch) =>
    call("patch", "/api/v1/notifications/{id}", { path: { id }, body }),
  deleteListener: (id: string) => call("delete", "/api/v1/notifications/{id}", { path: { id } }),
  testListener: (id: string) => call("post", "/api/v1/notifications/{id}/test", { path: { id } }),

  supportParts: () => call("get", "/api/v1/system/support-file"),
  makeSupportFile: () => call("post", "/api/v1/system/support-file"),
  installDisks: () => call("get", "/api/v1/system/install"),
  installOn: (body: InstallOn) => call("post", "/api/v1/system/install", { body }),
  endJob: (id: string) => call("delete", "/api/v1/jobs/{id}", { path: { id } }),
  log: (query: { level?: string; text?: string; limit?: number }) => call("get", "/api/v1/system/logs", { query }),

  platforms: () => call("get", "/api/v1/platforms"),
  destinations: () => call("get", "/api/v1/destinations"),
  addDestination: (body: NewDestination) => call("post", "/api/v1/destinations", { body }),
  editDestination: (id: string, body: DestinationPatch) =>
    call("patch", "/api/v1/destinations/{id}", { path: { id }, body }),
  deleteDestination: (id: string) => call("delete", "/api/v1/destinations/{id}", { path: { id } }),
  switchDestination: (id: string, on: boolean) =>
    call("post", `/api/v1/destinations/{id}/${on ? "on" : "off"}`, { path: { id } }),
  retryDestination: (id: string) => call("post", "/api/v1/destinations/{id}/retry", { path: { id } }),

  startBroadcast: () => call("post", "/api/v1/broadcast/start"),
  stopBroadcast: () => call("post", "/api/v1/broadcast/stop"),

  figures: (stepS: number, limit: number, of: { input?: string; destination?: string } = {}) =>
    call("get", "/api/v1/figures", { query: { stepS, limit, ...of } }),
  broadcasts: (limit: number) => call("get", "/api/v1/broadcasts", { query: { limit } }),

  watchLinks: () => call("get", "/api/v1/watch-links"),
  makeWatchLink: (body: NewWatchLink) => call("post", "/api/v1/watch-links", { body }),
  deleteWatchLink: (id: string) => call("delete", "/api/v1/watch-links/{id}", { path: { id } }),

  events: (limit: number, before?: number) =>
    call("get", "/api/v1/events", { query: before === undefined ? { limit } : { limit, before } }),
};

/** The live socket's address; `since` is the number of the last message that was applied. */
export function liveAddress(since: number | null): string {
  const url = new URL("/api/v1/live", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  if (since !== null) url.searchParams.set("since", String(since));
  return url.href;
}
