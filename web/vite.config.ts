import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// `npm run dev` serves the page with hot reload and hands the API on to a running box. The box takes writes only from
// its own origin, so the proxy speaks as that origin.
const box = process.env["BROOKBOX_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [svelte()],
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
            {
              name: "base",
              test: /node_modules\/svelte|src\/words\/(i18n|catalogue|format)\.ts|src\/api\/(request|problem)|src\/frame\/Lazy|src\/ui\/(Brand|Icon|icons)\.|src\/state\/language/,
            },
            {
              name: "page",
              test: /src\/(App|Shell|api|brook|frame|live|state\/(?!draft))|src\/words\/(?!(de|en|es|fr|ja|browser|password|picture-check)\.)|src\/screens\/Live|src\/ui\/(?!Check|Confirm|Destination|Dialog|Door|Field|KeyHelp|Language|Lead|NewKey|Platform[ST]|Qr|Refusals|SecretInput|Sessions|Strength|Tabs|TextField|focus)/,
            },
            // What comes after the first screen: small parts of one kind in one file.
            {
              name: "screens",
              test: /src\/(screens\/(?!Live|Watch|NotFound|Away|setup)|people|history|obs|state\/draft|ui\/|words\/(browser|password|picture-check))/,
            },
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
