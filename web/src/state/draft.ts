import type { Destination, DestinationPatch, NewDestination } from "../api/types";

/** What the editor of a destination holds while somebody types. Empty text stands for "not set". */
export interface Draft {
  name: string;
  platform: string;
  url: string;
  /** A new key; empty keeps the stored one. */
  key: string;
  output: string;
  enabled: boolean;
  startMode: Destination["startMode"];
  retryForS: number | null;
  backupUrl: string;
  username: string;
  /** A new password; empty keeps the stored one. */
  password: string;
  allowLocal: boolean;
}

const OUTPUT = "main/passthrough";

/** What the editor begins with; `outputs` are those there are. */
export function draftOf(stored: Destination | undefined, outputs: readonly string[]): Draft {
  return {
    name: stored?.name ?? "",
    platform: stored?.platform ?? "custom",
    url: stored?.url ?? "",
    key: "",
    output: stored?.output ?? (outputs.includes(OUTPUT) ? OUTPUT : (outputs[0] ?? OUTPUT)),
    enabled: stored?.enabled ?? true,
    startMode: stored?.startMode ?? "withStream",
    retryForS: stored?.retryForS ?? null,
    backupUrl: stored?.backupUrl ?? "",
    username: stored?.username ?? "",
    password: "",
    allowLocal: stored?.allowLocal ?? false,
  };
}

/** What a draft loses when a known platform is chosen: its key must not go to the server that stood there before. */
export const FOR_PLATFORM = {
  url: "",
  backupUrl: "",
  allowLocal: false,
  username: "",
  password: "",
} as const satisfies Partial<Draft>;

/** A new destination as it is sent. What is not set is left to the box. */
export function created(draft: Draft): NewDestination {
  const { backupUrl, username, url } = fields(draft);
  return {
    name: draft.name.trim(),
    platform: draft.platform,
    key: draft.key,
    output: draft.output,
    enabled: draft.enabled,
    startMode: draft.startMode,
    allowLocal: draft.allowLocal,
    ...(url !== null && { url }),
    ...(draft.retryForS !== null && { retryForS: draft.retryForS }),
    ...(backupUrl !== null && { backupUrl }),
    ...(username !== null && { username }),
    ...(draft.password !== "" && { password: draft.password }),
  };
}

/** What has to be sent to make the stored destination what the draft says. */
export function changes(stored: Destination, draft: Draft): DestinationPatch {
  const patch: DestinationPatch = {};
  for (const [name, value] of Object.entries(fields(draft))) {
    const before = stored[name as keyof Destination] ?? null;
    if (value !== before) Object.assign(patch, { [name]: value });
  }
  if (draft.key !== "") patch.key = draft.key;
  if (draft.password !== "") patch.password = draft.password;
  // A password without a user name has no use, and would stay behind unseen.
  if (stored.hasPassword && patch.username === null) patch.password = null;
  return patch;
}

const OF_CONNECTION = ["platform", "url", "backupUrl", "key", "output", "username", "password", "allowLocal"] as const;

/**
 * What becomes of a live destination with this: its stream ends, as it is to wait for a *Start sending* that nobody has
 * pressed (`started`), or it connects anew.
 */
export function costs(patch: DestinationPatch, started: boolean): "ends" | "reconnects" | null {
  if (patch.startMode === "manual" && !started) return "ends";
  return OF_CONNECTION.some((name) => name in patch) ? "reconnects" : null;
}

/** What can be read back, and so be compared. Not the switch: that is not the editor's, and may have been turned meanwhile. */
function fields(draft: Draft) {
  const text = (value: string) => (value.trim() === "" ? null : value.trim());
  return {
    name: draft.name.trim(),
    platform: draft.platform,
    url: text(draft.url),
    output: draft.output,
    startMode: draft.startMode,
    retryForS: draft.retryForS,
    backupUrl: text(draft.backupUrl),
    username: text(draft.username),
    allowLocal: draft.allowLocal,
  };
}
