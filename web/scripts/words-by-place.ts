import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

/**
 * Sends each language as a list in the order of English's keys, and the keys once for all of them: named five times they
 * would be a third of all words. In the sources, and wherever they are not built, languages stay objects with keys.
 */
export function wordsByPlace(): Plugin {
  const folder = fileURLToPath(new URL("../src/words/", import.meta.url));
  const language = /^(?:de|en|es|fr|ja)(\.more)?\.ts$/;
  const keys = "\0words-by-place";
  const read = (name: string) => parse(readFileSync(folder + name, "utf8"));

  return {
    name: "words-by-place",
    apply: "build",
    enforce: "pre",
    resolveId: (id) => (id.startsWith(keys) ? id : null),
    load(id) {
      if (!id.startsWith(keys)) return null;
      const names = Object.keys(read(`en${id.slice(keys.length)}.ts`).texts);
      return `const keys = ${JSON.stringify(names.join(" "))}.split(" ");
        export const named = (texts) => Object.fromEntries(keys.map((key, place) => [key, texts[place]]));`;
    },
    transform(code, id) {
      const name = id.startsWith(folder) ? id.slice(folder.length) : "";
      const [, part = ""] = language.exec(name) ?? [null];
      if (!language.test(name)) return null;
      const { texts, exported } = parse(code);
      const order = Object.keys(read(`en${part}.ts`).texts);
      if (Object.keys(texts).join(" ") !== order.join(" ")) this.error(`${name} has not English's keys in their order`);
      return `import { named } from "${keys.replace("\0", "\\0")}${part}";
        export const ${exported} = named(${JSON.stringify(Object.values(texts))});`;
    },
  };
}

/** The object that a language's file exports: texts and nothing that would have to be worked out. */
function parse(code: string): { exported: string; texts: Record<string, unknown> } {
  const [, exported, literal] = /export const (\w+)[^=]*= (\{[^]*\})(?: as const)?;\s*$/.exec(code) ?? [];
  if (exported === undefined || literal === undefined) throw new Error("a language's file exports one object");
  return { exported, texts: new Function(`return ${literal}`)() as Record<string, unknown> };
}
