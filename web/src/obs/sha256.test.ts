import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { sha256 } from "./sha256";

test.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])("agrees with the system's own for %i bytes", (length) => {
  const data = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 255);
  expect(Buffer.from(sha256(data)).toString("hex")).toBe(createHash("sha256").update(data).digest("hex"));
});
