import { describe, expect, test } from "vitest";
import { type Json, mergePatch } from "./patch";

// The table of RFC 7396, appendix A.
const rfc: [Json, Json, Json][] = [
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [
    ["a", "b"],
    ["c", "d"],
    ["c", "d"],
  ],
  [{ a: "b" }, ["c"], ["c"]],
  [{ a: "foo" }, null, null],
  [{ a: "foo" }, "bar", "bar"],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

describe("mergePatch", () => {
  test.each(rfc)("%j patched with %j gives %j", (target, patch, wanted) => {
    // Through text, since the result's objects have no prototype.
    expect(JSON.parse(JSON.stringify(mergePatch(target, patch)))).toEqual(wanted);
  });

  test("leaves the old value alone and keeps what is untouched", () => {
    const old = { kept: { x: 1 }, changed: { y: 1 } };
    const merged = mergePatch(old, { changed: { y: 2 } }) as typeof old;
    expect(old).toEqual({ kept: { x: 1 }, changed: { y: 1 } });
    expect(merged.kept).toBe(old.kept);
    expect(merged.changed).not.toBe(old.changed);
  });

  test("a name such as __proto__ changes no prototype", () => {
    const merged = mergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}'));
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(JSON.stringify(merged)).toBe('{"__proto__":{"polluted":true}}');
  });
});
