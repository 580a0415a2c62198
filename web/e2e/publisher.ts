import { type ChildProcess, spawn } from "node:child_process";

const FFMPEG = process.env["FFMPEG"] ?? "ffmpeg";

/** FFmpeg that publishes a test picture with sound in real time until it is stopped. */
export class Publisher {
  readonly #child: ChildProcess;
  log = "";

  constructor(url: string) {
    const picture = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30"];
    const sound = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"];
    const video = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "60", "-b:v", "1500k"];
    const audio = ["-c:a", "aac", "-b:a", "96k"];
    const args = [
      "-hide_banner",
      "-loglevel",
      "error",
      "-re",
      ...picture,
      ...sound,
      ...video,
      ...audio,
      "-f",
      "flv",
      url,
    ];
    this.#child = spawn(FFMPEG, args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#child.stderr?.on("data", (text) => (this.log += text));
  }

  async stop(signal: NodeJS.Signals = "SIGINT"): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill(signal);
    await gone;
  }
}
