// The shapes of the contract that the page uses. In the live state a field that is `null` may also be missing, since a
// merge patch takes away what it sets to null.

type Maybe<T> = T | null | undefined;

export interface SetupState {
  claimed: boolean;
  boxName?: string;
  codeNeeded?: boolean;
}

export interface SetupRequest {
  username: string;
  password: string;
  boxName?: string;
  language?: string;
  code?: string;
}

export type Role = "owner" | "operator" | "viewer";

export interface Me {
  id: string;
  username: string;
  role: Role;
}

export interface Input {
  id: string;
  name: string;
  keyHint: string;
  enabled: boolean;
  protocols: string[];
}

export type StartMode = "withStream" | "manual";

export interface Destination {
  id: string;
  name: string;
  platform: string;
  url: string | null;
  keyHint: string | null;
  output: string;
  enabled: boolean;
  startMode: StartMode;
  retryForS: number | null;
  backupUrl: string | null;
  username: string | null;
  allowLocal: boolean;
  position: number;
  warnings?: { code: string; message: string }[];
}

export interface DestinationEdit {
  name?: string;
  platform?: string;
  url?: string | null;
  key?: string;
  output?: string;
  enabled?: boolean;
  startMode?: StartMode;
  retryForS?: number | null;
  backupUrl?: string | null;
  username?: string | null;
  password?: string | null;
  allowLocal?: boolean;
}

export interface Platform {
  id: string;
  name: string;
  url: string | null;
  backupUrl?: string | null;
  urlForm?: string | null;
  perAccount?: boolean | null;
  servers?: { id: string; url: string }[];
  goesLiveOnIngest?: "yes" | "withAutoStart" | "afterPress" | null;
  pressUrl?: string | null;
  keyHelpUrl?: string | null;
  hints?: string[];
}

export interface Session {
  id: string;
  input: string;
  peer: string;
  program: Maybe<string>;
  protocol: string;
  role: string;
  since: string;
  bytesReceived: number;
  framesLost: number;
}

export interface Refusal {
  address: string;
  reason: string;
  count: number;
  first: string;
  last: string;
}

export interface BoxEvent {
  id: number;
  time: string;
  code: string;
  severity: "info" | "warning" | "error";
  destination?: Maybe<string>;
  params: Record<string, unknown>;
  sentence: string;
}

export type InputState = "none" | "connecting" | "receiving" | "lost";
export type DestinationState = "off" | "waiting" | "connecting" | "live" | "slow" | "retrying" | "failed";

export interface Track {
  kind: "video" | "audio" | "data";
  codec: string;
  profile?: Maybe<string>;
  width?: Maybe<number>;
  height?: Maybe<number>;
  fps?: Maybe<number>;
  channels?: Maybe<number>;
  sampleRate?: Maybe<number>;
  bitrateBps: number;
  keyframeIntervalMs?: Maybe<number>;
}

export interface InputStatus {
  state: InputState;
  since: string;
  session?: Maybe<Session>;
  tracks: Track[];
}

export interface Reason {
  code: string;
  sentence: string;
  details?: Maybe<string>;
}

export interface DestinationStatus {
  name: string;
  platform: string;
  output: string;
  enabled: boolean;
  state: DestinationState;
  confirmed: boolean;
  since: string;
  reason?: Maybe<Reason>;
  nextTryAt?: Maybe<string>;
  tries: number;
  bitrateBps?: Maybe<number>;
  rttMs?: Maybe<number>;
  queueMs?: Maybe<number>;
  framesSent: number;
  framesDropped: number;
  bytesSent: number;
}

export interface Status {
  seq: number;
  time: string;
  onAirSince?: Maybe<string>;
  inputs: Record<string, InputStatus>;
  destinations: Record<string, DestinationStatus>;
  outputs: Record<string, { input: string; kind: string }>;
  broadcast: { started: boolean; stopped: boolean };
  jobs: Record<string, unknown>;
  board: Record<string, unknown>;
}

export interface System {
  version: string;
  boxName: string;
  rtmp: string;
  claim?: Maybe<{ at: string; address: string; username: string }>;
}
