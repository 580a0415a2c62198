import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The program under test. */
export const BIN = process.env["BROOKBOXD"] ?? fileURLToPath(new URL("../../target/debug/brookboxd", import.meta.url));
const WEB_DIR = process.env["BROOKBOX_WEB_DIR"] ?? fileURLToPath(new URL("../dist", import.meta.url));
const READY_MS = 15_000;

/** A real `brookboxd` with data of its own, on free ports of this machine. */
export class Daemon {
  readonly data = mkdtempSync(join(tmpdir(), "brookbox-e2e-"));
  http = "127.0.0.1:0";
  rtmp = "127.0.0.1:0";
  log = "";
  #child: ChildProcess | undefined;
  #cookie = "";

  /** Starts, or starts again with the same data at the same addresses. */
  async start(): Promise<void> {
    const args = ["--data-dir", this.data, "--http", this.http, "--rtmp", this.rtmp, "--web-dir", WEB_DIR];
    const child = spawn(BIN, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    child.stderr.on("data", (text) => (this.log += text));
    const line = await new Promise<string>((resolve, reject) => {
      let out = "";
      const late = setTimeout(() => reject(new Error(`no ready line: ${out}\n${this.log}`)), READY_MS);
      child.stdout.on("data", (text) => {
        out += text;
        const ready = /^ready .*$/m.exec(out);
        if (!ready) return;
        clearTimeout(late);
        resolve(ready[0]);
      });
      child.once("error", reject);
      child.once("exit", (code, signal) => reject(new Error(`ended with ${code ?? signal}: ${this.log}`)));
    });
    const address = (name: string) => new RegExp(`${name}=(\\S+)`).exec(line)?.[1] ?? this[name as "http" | "rtmp"];
    this.http = address("http");
    this.rtmp = address("rtmp");
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
  }

  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  /** Stops it and removes its data. */
  async remove(): Promise<void> {
    this.resume();
    await this.stop("SIGKILL");
    rmSync(this.data, { recursive: true, force: true });
  }

  /** A call of the API as the owner, who is claimed by `claim`. */
  async api<T>(method: string, path: string, body: unknown = {}): Promise<T> {
    const headers: Record<string, string> = {
      "content-type": "application/json",
      origin: `http://${this.http}`,
      cookie: this.#cookie,
    };
    const init: RequestInit = { method, headers };
    if (method === "POST" || method === "PATCH") init.body = JSON.stringify(body);
    const response = await fetch(`http://${this.http}/api/v1${path}`, init);
    const cookies = response.headers.getSetCookie().map((cookie) => cookie.split(";", 1)[0]);
    if (cookies.length > 0) this.#cookie = cookies.join("; ");
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? null : JSON.parse(text)) as T;
  }

  async claim(): Promise<void> {
    await this.api("POST", "/setup", { username: "peer", password: "a peer for the test" });
  }

  async signIn(username: string, password: string): Promise<void> {
    await this.api("POST", "/login", { username, password });
  }

  async key(): Promise<string> {
    return (await this.api<{ key: string }>("POST", "/inputs/main/key")).key;
  }

  get port(): string {
    return this.http.split(":").at(-1) ?? "";
  }
}
