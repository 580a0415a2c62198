import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FIREFOX = process.env["FIREFOX"] ?? "/usr/bin/firefox-esr";

/** Debian's Firefox, spoken to by WebDriver BiDi: as much of it as opening pages and listening for errors takes. */
export class Firefox {
  readonly #profile = mkdtempSync(join(tmpdir(), "brookbox-firefox-"));
  #child: ChildProcess | undefined;
  #socket: WebSocket | undefined;
  #id = 0;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  context = "";
  /** What the console called an error. */
  readonly errors: string[] = [];

  async start(): Promise<void> {
    writeFileSync(
      join(this.#profile, "user.js"),
      [
        'user_pref("datareporting.policy.dataSubmissionEnabled", false);',
        'user_pref("network.captive-portal-service.enabled", false);',
        'user_pref("network.connectivity-service.enabled", false);',
        'user_pref("app.update.enabled", false);',
        'user_pref("media.gmp-manager.updateEnabled", false);',
        'user_pref("browser.safebrowsing.update.enabled", false);',
        'user_pref("services.settings.server", "data:,");',
      ].join("\n"),
    );
    const args = [
      "--headless",
      "--no-remote",
      "--profile",
      this.#profile,
      "--remote-debugging-port",
      "0",
      "about:blank",
    ];
    const child = spawn(FIREFOX, args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    const address = await new Promise<string>((resolve, reject) => {
      let said = "";
      const late = setTimeout(() => reject(new Error(`Firefox does not say where it listens: ${said}`)), 60_000);
      child.stderr?.on("data", (text: Buffer) => {
        said += text.toString();
        const found = /WebDriver BiDi listening on (ws:\S+)/.exec(said)?.[1];
        if (!found) return;
        clearTimeout(late);
        resolve(found);
      });
      child.once("error", reject);
    });
    const socket = new WebSocket(`${address}/session`);
    this.#socket = socket;
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error("no BiDi connection"));
    });
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(String(data)) as Message);
    await this.send("session.new", { capabilities: {} });
    await this.send("session.subscribe", { events: ["log.entryAdded"] });
    const { contexts } = await this.send<{ contexts: { context: string }[] }>("browsingContext.getTree", {});
    this.context = contexts[0]!.context;
  }

  async goto(url: string): Promise<void> {
    await this.send("browsingContext.navigate", { context: this.context, url, wait: "complete" });
  }

  async evaluate<T>(expression: string): Promise<T> {
    const answer = await this.send<{ result?: { value?: T } }>("script.evaluate", {
      expression,
      target: { context: this.context },
      awaitPromise: true,
    });
    return answer.result?.value as T;
  }

  async stop(): Promise<void> {
    this.#socket?.close();
    const child = this.#child;
    if (child && child.exitCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 3 });
  }

  send<T>(method: string, params: object): Promise<T> {
    const id = ++this.#id;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      this.#socket?.send(JSON.stringify({ id, method, params }));
    });
  }

  #hear(message: Message): void {
    if (message.method === "log.entryAdded" && message.params?.level === "error") {
      this.errors.push(message.params.text ?? "");
    }
    const waiting = this.#waiting.get(message.id ?? -1);
    if (!waiting) return;
    this.#waiting.delete(message.id ?? -1);
    if (message.error) waiting.reject(new Error(`${message.error}: ${message.message}`));
    else waiting.resolve(message.result);
  }
}

interface Message {
  id?: number;
  method?: string;
  params?: { level?: string; text?: string | null };
  result?: unknown;
  error?: string;
  message?: string;
}
