import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { BIN } from "./daemon";

test("openapi.json is what the program says", () => {
  const committed = JSON.parse(readFileSync(new URL("../openapi.json", import.meta.url), "utf8"));
  expect(committed).toEqual(JSON.parse(execFileSync(BIN, ["openapi"], { encoding: "utf8", maxBuffer: 1 << 24 })));
});
