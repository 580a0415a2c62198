import { expect, test } from "vitest";
import { strength } from "./password";

test("the length is the rule, the rest is advice", () => {
  expect(strength("123456789").words).toBe("1 more character");
  expect(strength("aaaaaaaaaaaaaaaa").level).toBe(1);
  expect(strength("1234567890").level).toBeLessThan(3);
  expect(strength("three plain words").level).toBeGreaterThanOrEqual(3);
  expect(strength("correct horse battery staple").level).toBe(4);
  // Letters outside the basic plane count as one each.
  expect(strength("😀😀😀😀😀").words).toBe("5 more characters");
});
