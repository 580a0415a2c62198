import { describe, expect, test } from "vitest";
import { fill } from "./catalogue";
import { en } from "./en";
import { pick, t } from "./i18n";

describe("t", () => {
  test("fills holes and chooses plural forms", () => {
    expect(t("headline.ready", { program: "OBS" })).toBe("Ready. Waiting for OBS.");
    expect(t("why.othersFine", { count: 1 })).toBe("The other one is fine.");
    expect(t("why.othersFine", { count: 3 })).toBe("The other 3 are fine.");
    expect(t("destinations.title", { count: 1, on: 0 })).toBe("1 place, 0 switched on.");
  });

  test("what is filled in is text, never a new hole or a pattern", () => {
    expect(t("row.switch", { name: "{name} $& $1" })).toBe("Send to {name} $& $1");
  });

  test("the types refuse a missing or a wrong hole", () => {
    // @ts-expect-error a hole is left open
    t("headline.ready");
    // @ts-expect-error no such hole
    t("headline.ready", { programme: "OBS" });
    // @ts-expect-error plural forms need a count
    t("destinations.title", { on: 1 });
    // @ts-expect-error no such key
    expect(() => t("no.such.key")).toThrow();
  });

  test("falls back to `other` where a language has no such form", () => {
    const polish = new Intl.PluralRules("pl");
    const number = new Intl.NumberFormat("pl");
    expect(fill({ one: "{count} miejsce", other: "{count} miejsc" }, { count: 3 }, polish, number)).toBe("3 miejsc");
  });
});

test("the first language that there is wins, then English", () => {
  expect(pick(["xx", "en-GB"])).toBe("en");
  expect(pick([])).toBe("en");
  expect(pick(["constructor"])).toBe("en");
});

test("the English sentences keep the house's rules", () => {
  for (const [key, text] of Object.entries(en)) {
    for (const form of typeof text === "string" ? [text] : Object.values(text)) {
      expect(form, key).not.toMatch(/!|oops|successfully|\bserver error\b/i);
      for (const sentence of form.split(/[.?:]\s/))
        expect(sentence.split(" ").length, `${key}: ${sentence}`).toBeLessThanOrEqual(15);
    }
  }
});
