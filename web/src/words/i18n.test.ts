import { describe, expect, test } from "vitest";
import { fill, type Plural } from "./catalogue";
import { de } from "./de";
import { deMore } from "./de.more";
import { en } from "./en";
import { enMore } from "./en.more";
import { es } from "./es";
import { esMore } from "./es.more";
import { fr } from "./fr";
import { frMore } from "./fr.more";
import { pick, speak, speakMore, t } from "./i18n";
import { ja } from "./ja";
import { jaMore } from "./ja.more";

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
  expect(pick(["pt", "ja-JP", "de"])).toBe("ja");
  expect(pick([])).toBe("en");
  expect(pick(["constructor"])).toBe("en");
});

describe("every language", () => {
  const english: Readonly<Record<string, string | Plural>> = { ...en, ...enMore };
  const forms = (text: string | Plural) => (typeof text === "string" ? [text] : Object.values(text));
  const holes = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort();
  const all = Object.entries({
    de: { ...de, ...deMore },
    es: { ...es, ...esMore },
    fr: { ...fr, ...frMore },
    ja: { ...ja, ...jaMore },
  }) as [string, typeof english][];

  test.each(all)("%s says all that English says, with the same holes", (_, texts) => {
    expect(Object.keys(texts)).toEqual(Object.keys(english));
    for (const [key, text] of Object.entries(texts)) {
      for (const form of forms(text)) {
        // A number that a form stands for need not be said in it.
        const wanted = holes(forms(english[key]!).at(-1)!);
        expect(new Set([...holes(form), "{count}"]), key).toEqual(new Set([...wanted, "{count}"]));
        expect(form.trim(), key).not.toBe("");
        expect((form.match(/\*/g) ?? []).length, key).toBe(
          /Part$|^headline\.(inputLost|frozen|silent)$/.test(key) ? 2 : 0,
        );
      }
    }
  });

  test.each(all)("%s has the plural forms that it needs", (language, texts) => {
    const categories = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    for (const [key, text] of Object.entries(texts)) {
      if (typeof text === "string") continue;
      // `many` is for a million and more.
      for (const form of categories) if (form !== "many") expect(text, `${key} ${form}`).toHaveProperty(form);
    }
  });

  test("one is chosen, and everything is said in it", async () => {
    await speak("de");
    await speakMore();
    expect(t("why.othersFine", { count: 1 })).toBe("Das andere ist in Ordnung.");
    expect(t("signIn.title")).toBe("Melde dich an.");
    await speak("en");
    expect(t("signIn.title")).toBe("Sign in.");
  });
});

test("the English sentences keep the house's rules", () => {
  for (const [key, text] of Object.entries({ ...en, ...enMore })) {
    for (const form of typeof text === "string" ? [text] : Object.values(text)) {
      expect(form, key).not.toMatch(/!|oops|successfully|\bserver error\b/i);
      for (const sentence of form.split(/[.?:]\s/))
        expect(sentence.split(" ").length, `${key}: ${sentence}`).toBeLessThanOrEqual(15);
    }
  }
});
