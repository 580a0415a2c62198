import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { expect, test } from "vitest";
import { en } from "./en";

// The first screen stands before the second half of the words has come: nothing that belongs to it may say any of them.

const SRC = resolve(import.meta.dirname, "..");

test.each(["App.svelte", "screens/Watch.svelte"])("all that %s says at once is in the first half", (start) => {
  const missing: string[] = [];
  for (const [file, source] of reach(resolve(SRC, start))) {
    for (const [, key] of source.matchAll(/\bt\(\s*"([\w.]+)"/g)) {
      if (!Object.hasOwn(en, key!)) missing.push(`${file.slice(SRC.length + 1)}: ${key}`);
    }
  }
  // These two are fetched only by screens that waited for the words.
  const later = /^(words\/(password|picture-check|browser)|state\/draft)/;
  expect(missing.filter((line) => !later.test(line))).toEqual([]);
});

/** A module and everything that it imports outright. */
function reach(file: string, found = new Map<string, string>()): Map<string, string> {
  const path = [file, `${file}.ts`].find((one) => existsSync(one) && /\.(ts|svelte)$/.test(one));
  if (!path || found.has(path) || /schema|words\/(en|de|es|fr|ja)\b/.test(path)) return found;
  const source = readFileSync(path, "utf8");
  found.set(path, source);
  for (const [, from] of source.matchAll(/^\s*import (?!type )[^;]*?from "(\.[^"]+)"/gm))
    reach(resolve(dirname(path), from!), found);
  return found;
}
