// The parts of mpegts.js that `scripts/flv-only.ts` takes.

declare module "player-core" {
  import type Mpegts from "mpegts.js";
  export default class PlayerCore {
    constructor(source: Mpegts.MediaDataSource, config: Mpegts.Config & { customLoader: unknown });
    on(event: string, listener: (...told: never[]) => void): void;
    attachMediaElement(video: HTMLMediaElement): void;
    load(): void;
    play(): Promise<void>;
    destroy(): void;
  }
}

declare module "player-core/errors" {
  export const ErrorDetails: Readonly<Record<"MEDIA_FORMAT_UNSUPPORTED" | "MEDIA_CODEC_UNSUPPORTED", string>>;
}

declare module "player-core/events" {
  const PlayerEvents: Readonly<Record<"ERROR" | "LOADING_COMPLETE", string>>;
  export default PlayerEvents;
}

declare module "player-core/log" {
  const LoggingControl: { enableAll: boolean };
  export default LoggingControl;
}
