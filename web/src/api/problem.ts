import { knows, t, tell } from "../words/i18n";

/** One field that the API did not take. */
export interface FieldError {
  field: string;
  code: string;
  message: string;
}

/** An answer of the API that is not a success: RFC 9457 with the contract's stable `code`. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: readonly FieldError[];
  /** How long to wait before the next try, if the box said so. */
  readonly retryAfterS: number | null;

  constructor(status: number, body: unknown, retryAfter: string | null) {
    const object = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
    const text = (name: string) => (typeof object[name] === "string" ? object[name] : "");
    super(text("detail") || text("title"));
    this.name = "Problem";
    this.status = status;
    this.code = text("code") || `http_${status}`;
    this.fields = Array.isArray(object["errors"]) ? object["errors"].filter(isFieldError) : [];
    const seconds = Number(retryAfter ?? "");
    this.retryAfterS = retryAfter && Number.isFinite(seconds) ? seconds : null;
  }
}

/** No answer came: the box is away, or the network is. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** The person closed a dialog that was needed to go on. Nothing to report. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
}

/** An error as a form shows it: sentences at their fields, and one for what belongs to no field. */
export interface Complaint {
  sentence: string | null;
  fields: Readonly<Record<string, string>>;
}

export const noComplaint: Complaint = { sentence: null, fields: {} };

/** Puts an error into words. `shown` are the fields that the form has a place for. */
export function complain(error: unknown, shown: readonly string[] = []): Complaint {
  if (error instanceof Cancelled) return noComplaint;
  if (!(error instanceof Problem)) return { sentence: explain(error), fields: {} };
  const fields: Record<string, string> = {};
  const elsewhere: string[] = [];
  for (const wrong of error.fields) {
    if (shown.includes(wrong.field)) fields[wrong.field] ??= sentence(wrong);
    else elsewhere.push(sentence(wrong));
  }
  if (error.fields.length === 0) return { sentence: explain(error), fields };
  return { sentence: elsewhere.length > 0 ? elsewhere.join(" ") : t("error.fields"), fields };
}

/** An error as one sentence. */
export function explain(error: unknown): string {
  if (error instanceof Unreachable) return t("error.unreachable");
  if (!(error instanceof Problem)) throw error;
  if (error.status === 429) return t("error.tooMany", { count: error.retryAfterS ?? 1 });
  const key = `problem.${error.code}`;
  if (knows(key)) return tell(key, {});
  return plain(error.message) || t("error.unknown", { code: error.code });
}

/** What is wrong with a field: in the reader's language where there are words for it, else as the box says it. */
function sentence({ field, code, message }: FieldError): string {
  for (const key of [`wrong.${field}.${code}`, `wrong.${code}`]) if (knows(key)) return tell(key, {});
  return plain(message);
}

/** The API marks what is to be typed as `code`, for those who read it raw. */
function plain(message: string): string {
  return message.replaceAll("`", "");
}

function isFieldError(value: unknown): value is FieldError {
  if (typeof value !== "object" || value === null) return false;
  const { field, code, message } = value as Record<string, unknown>;
  return typeof field === "string" && typeof code === "string" && typeof message === "string";
}
