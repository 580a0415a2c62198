import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";

const FFMPEG = process.env["FFMPEG"] ?? "ffmpeg";

const TONE = "sine=frequency=440:sample_rate=48000";

/**
 * What there is to see and hear: a test picture, small and cheap; a stream which is silent, and whose picture stands still after 25 s;
 * or for people, something that looks like a show.
 */
const PICTURES = {
  test: { source: "testsrc2=size=640x360:rate=30", sound: TONE, rate: ["-b:v", "1500k"] },
  still: {
    source: "testsrc2=size=640x360:rate=30,loop=loop=-1:size=1:start=750",
    sound: "anullsrc=sample_rate=48000:channel_layout=stereo",
    rate: ["-b:v", "1500k"],
  },
  show: {
    source: `gradients=size=1280x720:rate=30:n=4:c0=0x0d1b2a:c1=0x1d6b5c:c2=0xe0a458:c3=0x30162b:seed=7:speed=0.01`,
    sound: TONE,
    rate: ["-b:v", "4500k", "-maxrate", "4500k", "-bufsize", "4500k", "-x264-params", "nal-hrd=cbr"],
  },
} as const;

/** FFmpeg that publishes a picture with sound in real time until it is stopped. */
export class Publisher {
  readonly #child: ChildProcess;
  log = "";

  constructor(url: string, picture: keyof typeof PICTURES = "test") {
    const { source, sound, rate } = PICTURES[picture];
    const input = ["-re", "-f", "lavfi", "-i", source, "-f", "lavfi", "-i", sound];
    this.#child = publish(url, input, rate);
    this.#child.stderr?.on("data", (text) => (this.log += text));
  }

  stop(signal: NodeJS.Signals = "SIGINT"): Promise<void> {
    return stopped(this.#child, signal);
  }
}

const WIDTH = 256;
const HEIGHT = 144;
const FPS = 30;
/** Of sound, a second. */
const SAMPLES = 48_000;
/** The time code is so many squares in one row, each a bit. */
export const CODE_BITS = 32;

/**
 * Publishes a picture that holds the time at which it was made: the clock of this machine in ms, modulo 2^32, as black and
 * white squares from left to right, the highest bit first, over the whole height.
 */
export class ClockPublisher {
  readonly #child: ChildProcess;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(url: string) {
    const raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", `${WIDTH}x${HEIGHT}`, "-r", `${FPS}`, "-i", "pipe:0"];
    const sound = ["-f", "s16le", "-ar", `${SAMPLES}`, "-ac", "1", "-i", "pipe:3"];
    this.#child = publish(url, [...raw, ...sound], ["-b:v", "1000k"]);
    // Picture and sound are of one clock: whatever is ahead would have to wait for the other. It starts when FFmpeg has
    // read a frame: a pipe holds one, so the second one gets in only then.
    const [picture, , , tone] = this.#child.stdio as Writable[];
    for (const pipe of [picture, tone]) pipe?.on("error", () => clearInterval(this.#timer));
    picture?.write(frame(Date.now()));
    picture?.write(frame(Date.now()), () => {
      const began = Date.now();
      let sent = 0;
      this.#timer = setInterval(() => {
        for (; sent < ((Date.now() - began) * FPS) / 1000; sent++) {
          picture.write(frame(Date.now()));
          tone?.write(Buffer.alloc((2 * SAMPLES) / FPS, 0x10));
        }
      }, 8);
    });
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await stopped(this.#child, "SIGKILL");
  }
}

function frame(now: number): Buffer {
  const row = Buffer.alloc(WIDTH);
  const code = now % 2 ** CODE_BITS;
  for (let x = 0; x < WIDTH; x++) {
    const bit = CODE_BITS - 1 - Math.floor((x * CODE_BITS) / WIDTH);
    row[x] = Math.floor(code / 2 ** bit) % 2 === 1 ? 235 : 16;
  }
  return Buffer.concat(new Array<Buffer>(HEIGHT).fill(row));
}

function publish(url: string, input: readonly string[], rate: readonly string[]): ChildProcess {
  const video = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "60"];
  const audio = ["-c:a", "aac", "-b:a", "96k"];
  const args = ["-hide_banner", "-loglevel", "error", ...input, ...video, ...rate, ...audio, "-f", "flv", url];
  return spawn(FFMPEG, args, { stdio: ["pipe", "ignore", "pipe", "pipe"] });
}

async function stopped(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await gone;
}
