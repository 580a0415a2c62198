// Runs after `vite build`: adds the licences, writes .br and .gz beside what compresses, and holds the budgets.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/** KB as gzip: until the first screen stands, font included; with the player; one part fetched later; everything. */
const BUDGETS = { "first load": 85, "with the player": 150, "largest later part": 70, "all of dist": 250 };
const COMPRESSIBLE = new Set([".html", ".js", ".css", ".svg", ".json", ".txt"]);
/** The licences of what is in the page, by kind, and where they lie: what says the same packs well in one file. */
const LICENCES = {
  "mit.txt": ["svelte/LICENSE.md", "events/LICENSE", "uqr/LICENSE"],
  "mpegts.txt": ["mpegts.js/LICENSE"],
  "figtree.txt": ["@fontsource-variable/figtree/LICENSE"],
};
const PLAYER = "src/player/Player.svelte";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const manifestFile = join(dist, ".vite", "manifest.json");
const manifest = JSON.parse(readFileSync(manifestFile, "utf8"));
rmSync(dirname(manifestFile), { recursive: true });

mkdirSync(join(dist, "licences"), { recursive: true });
const packages = fileURLToPath(new URL("../node_modules/", import.meta.url));
for (const [name, texts] of Object.entries(LICENCES)) {
  const all = texts.map((text) => `${dirname(text)}\n\n${readFileSync(join(packages, text), "utf8")}`);
  writeFileSync(join(dist, "licences", name), all.join("\n\n"));
}

const sent = new Map();
for (const file of files()) {
  const name = relative(dist, file);
  const raw = readFileSync(file);
  sent.set(name, raw.length);
  if (COMPRESSIBLE.has(extname(file))) {
    const gzip = gzipSync(raw, { level: 9 });
    const brotli = brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
    writeFileSync(`${file}.gz`, gzip);
    writeFileSync(`${file}.br`, brotli);
    sent.set(name, gzip.length);
    print(name, raw.length, gzip.length, brotli.length);
  } else {
    print(name, statSync(file).size, null, null);
  }
}

// The page as it comes: the frame, the first screen, one language, the Latin letters.
const first = new Set(["index.html", "theme.js", "icon.svg"]);
for (const source of ["index.html", "src/App.svelte", "src/words/en.ts"]) reach(source, first);
for (const name of sent.keys()) if (/figtree-latin-wght/.test(name)) first.add(name);
const later = [...sent.keys()].filter((name) => !first.has(name) && name.startsWith("assets/"));
const player = new Set(first);
if (manifest[PLAYER]) reach(PLAYER, player);

const measured = {
  "first load": sum(first),
  "with the player": sum(player),
  "largest later part": Math.max(...later.map((name) => sent.get(name))),
  "all of dist": sum(sent.keys()),
};
console.log(`first load is ${[...first].map((name) => `${name} ${kb(sent.get(name))}`).join(", ")}`);
let over = false;
for (const [what, budget] of Object.entries(BUDGETS)) {
  console.log(`${what}: ${kb(measured[what])} KB gzip, budget ${budget} KB`);
  over ||= measured[what] > budget * 1024;
}
if (over) {
  console.error("A budget is passed.");
  process.exit(1);
}

/** Adds a module's file, its styles and everything that it always brings along. */
function reach(source, into) {
  const part = manifest[source];
  if (!part) throw new Error(`${source} is not in the manifest`);
  if (into.has(part.file)) return;
  into.add(part.file);
  for (const css of part.css ?? []) into.add(css);
  for (const other of part.imports ?? []) reach(other, into);
}

function files() {
  return readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ![".br", ".gz"].includes(extname(entry.name)))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function sum(names) {
  return [...names].reduce((all, name) => all + sent.get(name), 0);
}

function print(name, raw, gzip, brotli) {
  const cell = (bytes) => (bytes === null ? "–" : kb(bytes)).padStart(8);
  console.log(`${name.padEnd(52)}${cell(raw)}${cell(gzip)}${cell(brotli)}`);
}

function kb(bytes) {
  return (bytes / 1024).toFixed(1);
}
