import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type Server } from "node:tls";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { knows, type Language, languages, speak, tell } from "../src/words/i18n";
import { inspect, launch, openPage } from "./browser";
import { Daemon } from "./daemon";
import { Publisher } from "./publisher";
import { OWNER } from "./stage";

// Why a destination is not live, as the page says it.

/** The codes of the contract, and that no other is in the API's description. */
const CODES = [
  "bad_key",
  "not_started",
  "refused",
  "remote_closed",
  "too_slow",
  "dns",
  "no_route",
  "timeout",
  "tls",
  "tls_expired",
  "tls_name",
  "tls_untrusted",
  "clock_wrong",
  "codec",
  "encoder_busy",
  "encoder_died",
  "address_not_allowed",
] as const;

test("the page knows every reason that the box may give", () => {
  const { components } = JSON.parse(readFileSync(new URL("../openapi.json", import.meta.url), "utf8"));
  expect([...components.schemas.ReasonCode.enum].sort()).toEqual([...CODES].sort());
});

describe.each(Object.keys(languages) as Language[])("in %s", (language) => {
  test("each reason has one sentence of its own that names the place", async () => {
    await speak(language);
    const said = CODES.map((code) => {
      const key = `reason.${code}`;
      if (!knows(key)) throw new Error(`nothing is said for ${code}`);
      const sentence = tell(key, { name: "Club" });
      expect(sentence, code).toContain("Club");
      expect(sentence, code).toMatch(/[.。]$/);
      return sentence;
    });
    expect(new Set(said).size).toBe(CODES.length);
  });
});

describe("on the page", () => {
  const box = new Daemon();
  const dir = mkdtempSync(join(tmpdir(), "brookbox-e2e-reasons-"));
  let browser: Browser;
  let page: Page;
  let faults: string[];
  let expired: Server;
  let publisher: Publisher | undefined;

  beforeAll(async () => {
    await speak("en");
    const certificate = expiredCertificate(dir);
    expired = createServer(certificate, (socket) => socket.destroy());
    // Who does not trust the certificate ends the connection in its middle.
    expired.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => expired.listen(0, "127.0.0.1", resolve));
    writeFileSync(join(dir, "brookboxd.toml"), `[tls]\nextra_roots = ["${join(dir, "ca.pem")}"]\n`);
    process.env["BROOKBOX_CONFIG"] = join(dir, "brookboxd.toml");
    await box.start();
    await box.api("POST", "/setup", { ...OWNER, boxName: "river-street" });
    publisher = new Publisher(`rtmp://${box.rtmp}/live/${await box.key()}`);
    browser = await launch();
    ({ page, faults } = await openPage(browser));
    const response = await page.request.post(`http://${box.http}/api/v1/login`, {
      data: OWNER,
      headers: { origin: `http://${box.http}` },
    });
    expect(response.ok()).toBe(true);
    await page.goto(`http://${box.http}/`);
  });

  afterAll(async () => {
    delete process.env["BROOKBOX_CONFIG"];
    await publisher?.stop("SIGKILL");
    await browser?.close();
    expired?.close();
    await box.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  test.each([
    { name: "Nowhere", code: "dns", url: () => "rtmp://no-such-host.invalid/app" },
    {
      name: "Out of date",
      code: "tls_expired",
      url: () => `rtmps://localhost:${(expired.address() as AddressInfo).port}/app`,
    },
  ] as const)("$code is said in a plain sentence within five seconds", async ({ name, code, url }) => {
    await expect
      .poll(async () => (await box.api<Status>("GET", "/status")).inputs.main.state, { timeout: 15_000 })
      .toBe("receiving");
    const key = "canary-7Q2x-0d3f51";
    const place = { name, platform: "custom", url: url(), key, allowLocal: true };
    const { id } = await box.api<{ id: string }>("POST", "/destinations", place);
    const row = page.locator("li[id^=row-]").filter({ has: page.getByRole("heading", { name, exact: true }) });
    await row.getByText(tell(`reason.${code}`, { name })).waitFor({ timeout: 5000 });
    await row.getByText(/Retrying/).waitFor();
    const { reason } = (await box.api<Status>("GET", "/status")).destinations[id]!;
    expect(reason?.code).toBe(code);
    expect(await page.evaluate(() => document.documentElement.outerHTML)).not.toContain(key);
    expect(faults).toEqual([]);
    await inspect(page, `live-${code}`);
  });
});

interface Status {
  inputs: { main: { state: string } };
  destinations: Record<string, { reason: { code: string } | null }>;
}

/** A certificate for `localhost` that ended in 2020, of an authority that is in `ca.pem`. */
function expiredCertificate(dir: string): { cert: Buffer; key: Buffer } {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: "pipe" });
  const fresh = ["-newkey", "rsa:2048", "-nodes"];
  openssl(
    ...["req", "-x509", ...fresh, "-days", "30", "-subj", "/CN=Test authority", "-keyout", "ca.key", "-out", "ca.pem"],
    ...["-addext", "basicConstraints=critical,CA:TRUE"],
  );
  openssl("req", ...fresh, "-subj", "/CN=localhost", "-keyout", "old.key", "-out", "old.csr");
  writeFileSync(join(dir, "index"), "");
  writeFileSync(join(dir, "serial"), "01\n");
  writeFileSync(join(dir, "extensions"), "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n");
  writeFileSync(
    join(dir, "ca.conf"),
    "[ca]\ndefault_ca = d\n[d]\ndatabase = index\nserial = serial\nnew_certs_dir = .\ndefault_md = sha256\n" +
      "policy = p\n[p]\ncommonName = supplied\n",
  );
  openssl(
    ...["ca", "-batch", "-notext", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key"],
    ...["-extfile", "extensions", "-in", "old.csr", "-out", "old.pem"],
    ...["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"],
  );
  return { cert: readFileSync(join(dir, "old.pem")), key: readFileSync(join(dir, "old.key")) };
}
