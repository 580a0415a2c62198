// Runs after `vite build`: writes .br and .gz beside what compresses, adds the font's licence, and holds the budget.
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/** First load, gzip, font included. */
const FIRST_LOAD_BUDGET = 85 * 1024;
const COMPRESSIBLE = new Set([".html", ".js", ".css", ".svg", ".json", ".txt"]);

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const font = dirname(createRequire(import.meta.url).resolve("@fontsource-variable/figtree/package.json"));
copyFileSync(join(font, "LICENSE"), join(dist, "assets", "figtree-licence.txt"));

const files = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && ![".br", ".gz"].includes(extname(entry.name)))
  .map((entry) => join(entry.parentPath, entry.name))
  .sort();

let firstLoad = 0;
for (const file of files) {
  const name = relative(dist, file);
  const raw = readFileSync(file);
  let sent = raw.length;
  if (COMPRESSIBLE.has(extname(file))) {
    const gzip = gzipSync(raw, { level: 9 });
    const brotli = brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
    writeFileSync(`${file}.gz`, gzip);
    writeFileSync(`${file}.br`, brotli);
    sent = gzip.length;
    print(name, raw.length, gzip.length, brotli.length);
  } else {
    print(name, statSync(file).size, null, null);
  }
  if (belongsToFirstLoad(name)) firstLoad += sent;
}

console.log(`first load ${kb(firstLoad)} KB gzip, budget ${kb(FIRST_LOAD_BUDGET)} KB`);
if (firstLoad > FIRST_LOAD_BUDGET) {
  console.error("The first load is over its budget.");
  process.exit(1);
}

/** All but what a browser fetches only for other letters than Latin-1 or on request. A lazy chunk will have to be named here. */
function belongsToFirstLoad(name) {
  return !name.includes("latin-ext") && !name.endsWith("licence.txt");
}

function print(name, raw, gzip, brotli) {
  const cell = (bytes) => (bytes === null ? "–" : kb(bytes)).padStart(8);
  console.log(`${name.padEnd(52)}${cell(raw)}${cell(gzip)}${cell(brotli)}`);
}

function kb(bytes) {
  return (bytes / 1024).toFixed(1);
}
