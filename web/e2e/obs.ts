import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { proof } from "../src/obs/loopback";

/** Where the page looks for OBS on its own device; OBS's usual port. */
const PORT = 4455;
const READY_MS = 30_000;

export const canRunObs = ["/usr/bin/obs", "/usr/bin/Xvfb"].every((program) => existsSync(program));

/** Debian's OBS Studio on a screen that nobody sees, its WebSocket server on, set to stream somewhere else. */
export class Obs {
  readonly #home = mkdtempSync(join(tmpdir(), "brookbox-obs-"));
  readonly #children: ChildProcess[] = [];
  readonly #password: string;

  constructor(password: string, before: { server: string; key: string }) {
    this.#password = password;
    const config = join(this.#home, ".config/obs-studio");
    const profile = join(config, "basic/profiles/Test");
    const remote = join(config, "plugin_config/obs-websocket");
    for (const folder of [profile, remote, join(config, "basic/scenes")]) mkdirSync(folder, { recursive: true });
    const ini = (sections: Record<string, Record<string, string | number | boolean>>) =>
      Object.entries(sections)
        .map(
          ([name, values]) =>
            `[${name}]\n${Object.entries(values)
              .map(([key, value]) => `${key}=${value}`)
              .join("\n")}\n`,
        )
        .join("\n");
    const server = { ServerEnabled: true, ServerPort: PORT, AlertsEnabled: false, AuthRequired: true };
    writeFileSync(
      join(config, "global.ini"),
      ini({
        General: { FirstRun: true, LastVersion: 486539266, EnableAutoUpdates: false, ConfirmOnExit: false },
        Basic: { Profile: "Test", ProfileDir: "Test", SceneCollection: "Test", SceneCollectionFile: "Test" },
        BasicWindow: { PreviewEnabled: false, WarnBeforeStartingStream: false, SysTrayEnabled: false },
        OBSWebSocket: { FirstLoad: false, ...server, ServerPassword: password },
      }),
    );
    // Where OBS from 30.2 on keeps the same.
    writeFileSync(
      join(remote, "config.json"),
      JSON.stringify({
        first_load: false,
        server_enabled: true,
        server_port: PORT,
        alerts_enabled: false,
        auth_required: true,
        server_password: password,
      }),
    );
    writeFileSync(
      join(profile, "basic.ini"),
      ini({
        General: { Name: "Test" },
        Video: { BaseCX: 640, BaseCY: 360, OutputCX: 640, OutputCY: 360, FPSType: 1, FPSInt: 30 },
        Output: { Mode: "Simple" },
        SimpleOutput: { VBitrate: 800, StreamEncoder: "x264", ABitrate: 96, UseAdvanced: true, Preset: "ultrafast" },
      }),
    );
    writeFileSync(
      join(profile, "service.json"),
      JSON.stringify({ type: "rtmp_custom", settings: { ...before, use_auth: false } }),
    );
  }

  async start(): Promise<void> {
    const screen = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp"], {
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    });
    this.#children.push(screen);
    const display = await new Promise<string>((resolve) =>
      screen.stdio[3]?.once("data", (text: Buffer) => resolve(`:${text.toString().trim()}`)),
    );
    const runtime = join(this.#home, "run");
    mkdirSync(runtime, { mode: 0o700 });
    const env = {
      ...process.env,
      HOME: this.#home,
      XDG_RUNTIME_DIR: runtime,
      DISPLAY: display,
      QT_QPA_PLATFORM: "xcb",
      LIBGL_ALWAYS_SOFTWARE: "1",
      PULSE_SERVER: "unix:/nonexistent",
    };
    delete (env as Record<string, unknown>)["XDG_CONFIG_HOME"];
    const args = [
      "--multi",
      "--disable-updater",
      "--disable-missing-files-check",
      "--profile",
      "Test",
      "--collection",
      "Test",
    ];
    this.#children.push(spawn("obs", args, { env, stdio: "ignore" }));
    const late = Date.now() + READY_MS;
    for (;;) {
      try {
        await this.ask("GetVersion");
        return;
      } catch (error) {
        if (Date.now() > late) throw error;
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    }
  }

  async stop(): Promise<void> {
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    }
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 3 });
  }

  /** One question, by a connection of its own. */
  ask<T>(requestType: string): Promise<T> {
    const socket = new WebSocket(`ws://127.0.0.1:${PORT}`);
    return new Promise<T>((resolve, reject) => {
      const end = (settle: () => void) => {
        socket.onclose = null;
        socket.close();
        settle();
      };
      socket.onclose = () => reject(new Error(`OBS closed the connection at ${requestType}`));
      socket.onerror = () => {};
      socket.onmessage = ({ data }) => {
        const { op, d } = JSON.parse(String(data)) as Message;
        const say = (op: number, d: object) => socket.send(JSON.stringify({ op, d }));
        if (op === 0) {
          const { salt = "", challenge = "" } = d.authentication ?? {};
          say(1, { rpcVersion: 1, eventSubscriptions: 0, authentication: proof(this.#password, salt, challenge) });
        } else if (op === 2) {
          say(6, { requestType, requestId: "1" });
        } else if (op === 7) {
          end(() =>
            d.requestStatus?.result
              ? resolve(d.responseData as T)
              : reject(new Error(`${requestType}: ${d.requestStatus?.code}`)),
          );
        }
      };
    });
  }
}

interface Message {
  op: number;
  d: {
    authentication?: { salt: string; challenge: string };
    requestStatus?: { result: boolean; code: number };
    responseData?: unknown;
  };
}
