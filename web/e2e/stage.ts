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
  "/system",
  "/people",
  "/people/new",
  "/help",
  "/about",
  "/more",
  "/setup/name",
  "/setup/check",
  "/setup/destination",
  "/setup/obs",
  "/setup/live",
  "/nothing",
];

/** A real evening: a box with a stream, three places that take it, one that hangs up, one that is off. */
export class Stage {
  readonly box = new Daemon();
  readonly peer = new Daemon();
  readonly #closes: Server = createServer((socket) => socket.destroy());
  publisher: Publisher | undefined;
  /** Secrets that no screen may show. */
  secrets: string[] = [OWNER.password];
  trouble = "";

  async raise(): Promise<void> {
    const { box, peer } = this;
    await Promise.all([box.start(), peer.start()]);
    await peer.claim();
    await new Promise<void>((resolve) => this.#closes.listen(0, "127.0.0.1", resolve));
    await box.api("POST", "/setup", { ...OWNER, boxName: "river-street" });
    await box.api("DELETE", "/system/claim");
    const hangsUp = `rtmp://127.0.0.1:${(this.#closes.address() as { port: number }).port}/app`;
    for (const [index, name] of ["YouTube", "Twitch", "Kick", "Parish website", "Facebook"].entries()) {
      const input = await peer.api<{ id: string }>("POST", "/inputs", { name });
      const { key } = await peer.api<{ key: string }>("POST", `/inputs/${input.id}/key`);
      this.secrets.push(key);
      const { id } = await box.api<{ id: string }>("POST", "/destinations", {
        name,
        platform: "custom",
        url: name === "Kick" ? hangsUp : `rtmp://${peer.rtmp}/live`,
        key,
        allowLocal: true,
        enabled: name !== "Facebook",
        startMode: "withStream",
        position: index + 1,
      });
      if (name === "Kick") this.trouble = id;
    }
    const key = await box.key();
    this.secrets.push(key);
    this.publisher = new Publisher(`rtmp://${box.rtmp}/live/${key}`);
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
