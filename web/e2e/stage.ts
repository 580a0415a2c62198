import { createServer, type Server } from "node:net";
import { expect } from "vitest";
import type { Browser, Page } from "playwright-core";
import { openPage } from "./browser";
import { Daemon } from "./daemon";
import { Publisher } from "./publisher";

export const OWNER = { username: "mara", password: "three plain words" };

/** Every screen that has an address; `:id` stands for the destination that is in trouble. */
export const SCREENS = [
  "/",
  "/destinations",
  "/destinations/new",
  "/destinations/:id",
  "/input",
  "/encoders",
  "/recordings",
  "/diagnostics",
  "/diagnostics/support",
  "/profiles",
  "/tell",
  "/tell/new",
  "/system",
  "/people",
  "/people/new",
  "/help",
  "/about",
  "/more",
  "/setup/name",
  "/setup/network",
  "/setup/check",
  "/setup/destination",
  "/setup/obs",
  "/setup/live",
  "/nothing",
];

/** Places that take the stream, one that hangs up, and one that nobody switched on. */
const PLACES = [
  { name: "Twitch", platform: "twitch" },
  { name: "Trovo", platform: "trovo" },
  { name: "Kick", platform: "kick" },
  { name: "Parish website", platform: "custom" },
  { name: "Facebook", platform: "facebook" },
] as const;

/** A real evening: a box, a server that takes streams, and one that ends every connection at once. */
export class Stage {
  readonly box = new Daemon();
  readonly peer = new Daemon();
  readonly #closes: Server = createServer((socket) => socket.destroy());
  publisher: Publisher | undefined;
  /** Secrets that no screen may show. */
  readonly secrets: string[] = [OWNER.password];
  /** The place that hangs up. */
  trouble = "";

  /** The box with its owner, its places and its stream. */
  async raise({ places = PLACES.length, off = ["Facebook"] }: { places?: number; off?: string[] } = {}): Promise<void> {
    await this.start();
    await this.claim();
    await this.addPlaces(places, off);
    await this.publish();
  }

  /** Everything but a claimed box. */
  async start(): Promise<void> {
    await Promise.all([this.box.start(), this.peer.start()]);
    await this.peer.claim();
    await new Promise<void>((resolve) => this.#closes.listen(0, "127.0.0.1", resolve));
  }

  async claim(): Promise<void> {
    await this.box.api("POST", "/setup", { ...OWNER, boxName: "river-street" });
    await this.box.api("DELETE", "/system/claim");
  }

  /** A server that takes every connection and ends it at once. */
  get hangsUp(): string {
    return `rtmp://127.0.0.1:${(this.#closes.address() as { port: number }).port}/app`;
  }

  async addPlaces(count: number = PLACES.length, off: readonly string[] = []): Promise<void> {
    const more = Array.from({ length: Math.max(0, count - PLACES.length) }, (_, index) => ({
      name: `Club ${index + 1}`,
      platform: "custom",
    }));
    for (const [index, { name, platform }] of [...PLACES, ...more].slice(0, count).entries()) {
      const input = await this.peer.api<{ id: string }>("POST", "/inputs", { name });
      const { key } = await this.peer.api<{ key: string }>("POST", `/inputs/${input.id}/key`);
      this.secrets.push(key);
      const { id } = await this.box.api<{ id: string }>("POST", "/destinations", {
        name,
        platform,
        url: name === "Kick" ? this.hangsUp : `rtmp://${this.peer.rtmp}/live`,
        key,
        allowLocal: true,
        enabled: !off.includes(name),
        startMode: "withStream",
        position: index + 1,
      });
      if (name === "Kick") this.trouble = id;
    }
  }

  async publish(picture?: ConstructorParameters<typeof Publisher>[1]): Promise<void> {
    const key = await this.box.key();
    this.secrets.push(key);
    this.publisher = new Publisher(`rtmp://${this.box.rtmp}/live/${key}`, picture);
  }

  async strike(): Promise<void> {
    await this.publisher?.stop("SIGKILL");
    this.#closes.close();
    await Promise.all([this.box.remove(), this.peer.remove()]);
  }

  address(path: string): string {
    return `http://${this.box.http}${path.replace(":id", encodeURIComponent(this.trouble))}`;
  }

  /** A page of somebody who is signed in, in one language. */
  async visit(browser: Browser, language = "en"): Promise<{ page: Page; faults: string[] }> {
    const opened = await openPage(browser);
    const { page } = opened;
    await page.addInitScript((language) => localStorage.setItem("language", language), language);
    const response = await page.request.post(this.address("/api/v1/login"), {
      data: OWNER,
      headers: { origin: `http://${this.box.http}` },
    });
    expect(response.ok()).toBe(true);
    return opened;
  }
}
