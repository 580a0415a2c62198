import type { Destination, DestinationEdit, StartMode } from "../api/types";

/** What the editor of a destination holds while somebody types. Empty text stands for "not set". */
export interface Draft {
  name: string;
  platform: string;
  url: string;
  /** A new key; empty keeps the stored one. */
  key: string;
  output: string;
  enabled: boolean;
  startMode: StartMode;
  retryForS: number | null;
  backupUrl: string;
  username: string;
  /** A new password; empty keeps the stored one. */
  password: string;
  allowLocal: boolean;
}

export function draftOf(stored: Destination | undefined): Draft {
  return {
    name: stored?.name ?? "",
    platform: stored?.platform ?? "custom",
    url: stored?.url ?? "",
    key: "",
    output: stored?.output ?? "main/passthrough",
    enabled: stored?.enabled ?? true,
    startMode: stored?.startMode ?? "withStream",
    retryForS: stored?.retryForS ?? null,
    backupUrl: stored?.backupUrl ?? "",
    username: stored?.username ?? "",
    password: "",
    allowLocal: stored?.allowLocal ?? false,
  };
}

/** What has to be sent: for a stored destination what differs, for a new one what is set. */
export function changes(stored: Destination | undefined, draft: Draft): DestinationEdit {
  const edit: DestinationEdit = {};
  const text = (value: string) => (value.trim() === "" ? null : value.trim());
  const wanted: DestinationEdit = {
    name: draft.name.trim(),
    platform: draft.platform,
    url: text(draft.url),
    output: draft.output,
    enabled: draft.enabled,
    startMode: draft.startMode,
    retryForS: draft.retryForS,
    backupUrl: text(draft.backupUrl),
    username: text(draft.username),
    allowLocal: draft.allowLocal,
  };
  // The switch of a stored one is not the editor's: it may have been turned meanwhile.
  if (stored !== undefined) delete wanted.enabled;
  for (const [name, value] of Object.entries(wanted)) {
    const before = stored?.[name as keyof Destination] ?? null;
    if (value !== before) Object.assign(edit, { [name]: value });
  }
  if (draft.key !== "") edit.key = draft.key;
  if (draft.password !== "") edit.password = draft.password;
  // A password without a user name has no use, and would stay behind unseen.
  if (stored?.username && edit.username === null) edit.password = null;
  return edit;
}

/** Whether a live destination has to connect anew for this. */
export function reconnects(edit: DestinationEdit): boolean {
  const matters = ["platform", "url", "key", "output", "username", "password", "allowLocal"] as const;
  return matters.some((name) => name in edit);
}
