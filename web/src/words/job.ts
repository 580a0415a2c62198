import type { Job } from "../api/types";
import { knows, tell } from "./i18n";

/** A step of long work, in the reader's language; what this page does not know yet, as the box says it. */
export function jobStep({ code, sentence }: Job["steps"][number]): string {
  return said(`jobStep.${code}`, sentence);
}

/** Why it failed. */
export function jobFault({ code, sentence }: NonNullable<Job["fault"]>): string {
  return said(`jobFault.${code}`, sentence);
}

function said(key: string, sentence: string): string {
  return knows(key) ? tell(key, {}) : sentence;
}
