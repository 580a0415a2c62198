import { tick } from "svelte";

/** Leads to the first field that was not taken. */
export async function focusWrong(form: HTMLFormElement | undefined): Promise<void> {
  await tick();
  form?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
}
