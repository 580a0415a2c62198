import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { WRONG_KINDS } from "../state/wrongs";
import { de } from "./de";
import { deMore } from "./de.more";
import { en } from "./en";
import { enMore } from "./en.more";
import { es } from "./es";
import { esMore } from "./es.more";
import { fr } from "./fr";
import { frMore } from "./fr.more";
import { ja } from "./ja";
import { jaMore } from "./ja.more";

// Whatever code the box may say, every language has words for it. The codes are those of its OpenAPI document.

type Schema = { enum?: string[]; properties?: Record<string, Schema>; items?: Schema };

const { components } = JSON.parse(readFileSync(new URL("../../openapi.json", import.meta.url), "utf8")) as {
  components: { schemas: Record<string, Schema> };
};

/** The codes that a field may have, or a schema of its own. */
function codes(name: string, field?: string): string[] {
  const schema = components.schemas[name]!;
  const of = field === undefined ? schema : schema.properties![field]!;
  const found = of.enum ?? of.items?.enum;
  if (!found) throw new Error(`${name}.${field} has no list of codes`);
  return found;
}

/** Answers to what this page never asks: it sends JSON, of the right size, with its own origin. They stay English. */
const NEVER_ASKED = new Set([
  "bad_json",
  "bad_request",
  "token_in_url",
  "bad_origin",
  "method_not_allowed",
  "request_timeout",
  "too_large",
  "uri_too_long",
  "unsupported_media_type",
  "headers_too_large",
  "upgrade_required",
  "too_many_sockets",
]);
/** Told elsewhere than by this word: by another screen, at a field, or by its own number. */
const ELSEWHERE = new Set([
  "address_not_allowed",
  "no_picture",
  "not_signed_in",
  "not_claimed",
  "password_needed",
  "password_reset_closed",
  "invalid",
  "too_many_attempts",
  "too_many_viewers",
  "watch_link_ended",
]);

const wanted = [
  ...codes("EventView", "code").map((code) => `event.${code}`),
  ...codes("Advice", "code").map((code) => `advice.${code}`),
  ...codes("ReasonCode").map((code) => `reason.${code}`),
  ...codes("Refusal", "reason").map((code) => `refusal.${code}`),
  ...codes("Warning", "code").map((code) => `warning.${code}`),
  ...codes("BoardAlarm", "code").map((code) => `why.box_${code}`),
  ...codes("Alarm", "code").flatMap((code) => [`alarms.${code}`, `headline.${code}`]),
  ...codes("NotificationView", "kinds").map((kind) => `kind.${kind}`),
  ...codes("Problem", "code")
    .filter((code) => !NEVER_ASKED.has(code) && !ELSEWHERE.has(code))
    .map((code) => `problem.${code}`),
  ...codes("UserView", "role").map((role) => `role.${role}`),
];

test.each([
  ["en", { ...en, ...enMore }],
  ["de", { ...de, ...deMore }],
  ["es", { ...es, ...esMore }],
  ["fr", { ...fr, ...frMore }],
  ["ja", { ...ja, ...jaMore }],
] as const)("%s has words for every code", (_, texts) => {
  expect(wanted.filter((key) => !Object.hasOwn(texts, key))).toEqual([]);
});

test("what can be heard is a kind that the box tells of, or that it is away", () => {
  const kinds = codes("NotificationView", "kinds");
  expect(WRONG_KINDS.filter((kind) => kind !== "away" && !kinds.includes(kind))).toEqual([]);
});
