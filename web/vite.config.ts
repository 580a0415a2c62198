import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { flvOnly } from "./scripts/flv-only.ts";
import { wordsByPlace } from "./scripts/words-by-place.ts";

// `npm run dev` serves the page with hot reload and hands the API on to a running box. The box takes writes only from
// its own origin, so the proxy speaks as that origin.
const box = process.env["BROOKBOX_URL"] ?? "http://127.0.0.1:8080";

const BASE =
  /node_modules\/svelte|src\/words\/(i18n|catalogue|format|limits)\.ts|src\/api\/(request|problem)|src\/frame\/Lazy|src\/ui\/(Brand|Icon|icons|Judged)\.|src\/state\/(language|tick)|words-by-place$/;

/** Where the parts of the first screen lie, and what of these folders is not of it. */
const FIRST: Readonly<Record<string, readonly string[]>> = {
  api: [],
  brook: [],
  frame: [],
  live: ["BoxLine", "Checklist", "LostHelp"],
  state: ["draft", "events", "machine", "order"],
  words: ["browser", "event", "job", "machine", "password", "picture-check", "profile", "refusal"],
  ui: [
    ...[
      "Alarms",
      "Card",
      "Check",
      "ConfirmPassword",
      "DestinationEditor",
      "Dialog",
      "Door",
      "EventList",
      "Field",
      "Findings",
    ],
    ...[
      "focus",
      "InstallHere",
      "JobProgress",
      "KeyHelp",
      "LanguageChoice",
      "Lead",
      "NetworkFacts",
      "NewKey",
      "Notices",
    ],
    ...[
      "PlatformLimits",
      "PlatformTiles",
      "Qr",
      "Refusals",
      "SecretInput",
      "Sessions",
      "Strength",
      "Tabs",
      "TextField",
    ],
  ],
};
/** Fetched by whoever opens them, each by itself. */
const ALONE =
  /node_modules|\/src\/(player|styles|watch|screens\/(setup|Watch))|\/src\/words\/(de|en|es|fr|ja)\.|\/src\/main/;

function isFirst(id: string): boolean {
  const [path, folder = "", name = ""] = /\/src\/(?:(\w+)\/)?([\w-]+)/.exec(id) ?? [];
  if (path === undefined || ALONE.test(id)) return false;
  if (folder === "" || (folder === "screens" && ["Live", "NotFound", "Away"].includes(name))) return true;
  return FIRST[folder] !== undefined && !FIRST[folder].includes(name);
}

function isLater(id: string): boolean {
  return /\/src\//.test(id) && !ALONE.test(id) && !isFirst(id);
}

export default defineConfig({
  plugins: [svelte(), flvOnly(), wordsByPlace()],
  server: {
    proxy: {
      "/api": { target: box, changeOrigin: true, ws: true, headers: { origin: box } },
    },
  },
  build: {
    target: ["chrome111", "firefox114", "safari16.4"],
    // The policy in the response header allows no `data:` fonts or styles, and one request less is not worth one more rule.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // `scripts/finish.mjs` reads from it what belongs to the first load.
    manifest: true,
    rolldownOptions: {
      output: {
        // Few large files pack better than many small ones: what every page has, and what everybody has who is signed in.
        codeSplitting: {
          groups: [
            { name: "base", test: BASE },
            { name: "page", test: (id) => isFirst(id) },
            // What comes after the first screen: small parts of one kind in one file.
            { name: "screens", test: (id) => isLater(id) },
          ],
        },
      },
    },
  },
  test: {
    include: ["src/**/*.test.ts"],
    setupFiles: ["src/words/speak-english.ts"],
  },
});
