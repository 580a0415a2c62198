import PlayerCore from "player-core";
import { ErrorDetails } from "player-core/errors";
import PlayerEvents from "player-core/events";
import LoggingControl from "player-core/log";
import { SocketLoader } from "./loader";

// What turns the box's FLV into a picture: mpegts.js over Media Source, or Managed Media Source on an iPhone.

LoggingControl.enableAll = false;

/** `unsupported`: this browser cannot play the codec; `none`: it can play no stream at all by script. */
export type Stage = "starting" | "playing" | "again" | "unsupported" | "none";

/** Pauses before the next try, ms. */
const AGAIN_MS = [500, 1000, 2000, 4000, 8000] as const;
/** A picture that has not moved for so long is fetched anew, ms. */
const STUCK_MS = 6000;
/** Nobody has looked for a while once looks are this far apart, ms. */
const RESTED_MS = 2500;

/** Plays one address in a video element until it is closed; begins again by itself where it stops. */
export class Engine {
  readonly #video: HTMLVideoElement;
  readonly #address: string;
  readonly #onStage: (stage: Stage) => void;
  #player: PlayerCore | null = null;
  #tries = 0;
  #again: ReturnType<typeof setTimeout> | undefined;
  #moved = { at: 0, time: -1 };
  #looked = 0;

  constructor(video: HTMLVideoElement, address: string, onStage: (stage: Stage) => void) {
    this.#video = video;
    this.#address = address;
    this.#onStage = onStage;
    if (!canPlay()) {
      onStage("none");
      return;
    }
    video.addEventListener("playing", this.#playing);
    this.#start();
  }

  close(): void {
    clearTimeout(this.#again);
    this.#video.removeEventListener("playing", this.#playing);
    this.#drop();
  }

  /**
   * How much has arrived and is not shown yet, s. How far behind the camera that is cannot be said: FLV holds no wall clock,
   * and the time to encode and to send comes on top.
   */
  get buffered(): number | null {
    const { buffered, currentTime } = this.#video;
    return buffered.length > 0 ? Math.max(0, buffered.end(buffered.length - 1) - currentTime) : null;
  }

  #start(): void {
    this.#onStage("starting");
    this.#moved = { at: Date.now(), time: -1 };
    const player = new PlayerCore(
      { type: "flv", isLive: true, url: this.#address },
      {
        customLoader: SocketLoader,
        enableStashBuffer: false,
        lazyLoad: false,
        liveSync: true,
        liveSyncMaxLatency: 0.8,
        liveSyncTargetLatency: 0.5,
        liveSyncPlaybackRate: 1.25,
        autoCleanupSourceBuffer: true,
        autoCleanupMaxBackwardDuration: 12,
        autoCleanupMinBackwardDuration: 6,
      },
    );
    this.#player = player;
    player.on(PlayerEvents.ERROR, (_type: string, detail: string) => {
      if (this.#player !== player) return;
      const codec = [ErrorDetails.MEDIA_CODEC_UNSUPPORTED, ErrorDetails.MEDIA_FORMAT_UNSUPPORTED];
      if (codec.includes(detail)) {
        this.#drop();
        this.#onStage("unsupported");
      } else {
        this.#restart();
      }
    });
    player.on(PlayerEvents.LOADING_COMPLETE, () => this.#player === player && this.#restart());
    player.attachMediaElement(this.#video);
    player.load();
    // Refused where nobody has touched the page yet and there is sound: the view begins muted for that.
    Promise.resolve(player.play()).catch(() => {});
  }

  #playing = (): void => {
    this.#tries = 0;
    this.#onStage("playing");
  };

  /** Begins anew where the picture has stood still; to be called once a second while somebody looks. */
  look(): void {
    const { currentTime } = this.#video;
    const now = Date.now();
    // Nobody has looked for a while: what was then says nothing.
    const rested = now - this.#looked > RESTED_MS;
    this.#looked = now;
    if (currentTime !== this.#moved.time || rested) this.#moved = { at: now, time: currentTime };
    else if (this.#player && now - this.#moved.at > STUCK_MS) this.#restart();
  }

  #restart(): void {
    this.#drop();
    this.#onStage("again");
    const pause = AGAIN_MS[Math.min(this.#tries, AGAIN_MS.length - 1)];
    this.#tries += 1;
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#start(), pause);
  }

  #drop(): void {
    const player = this.#player;
    this.#player = null;
    player?.destroy();
  }
}

/** Whether a script can hand this browser a stream at all. */
function canPlay(): boolean {
  const { ManagedMediaSource } = window as { ManagedMediaSource?: typeof MediaSource };
  const codecs = 'video/mp4; codecs="avc1.42E01E,mp4a.40.2"';
  return [window.MediaSource, ManagedMediaSource].some((source) => source?.isTypeSupported(codecs));
}
