import { router } from "./router.svelte";

const KEY = "shortcuts";
/** How long the second key of a pair may take, ms. */
const PAIR_MS = 1500;

const WAYS: Readonly<Record<string, string>> = {
  l: "/",
  d: "/destinations",
  i: "/input",
  r: "/recordings",
  s: "/system",
};

/** Keys for those who like them; never while somebody types, and off where that was chosen. */
class Shortcuts {
  #on = $state(stored());
  #pair = 0;

  get on(): boolean {
    return this.#on;
  }

  set on(value: boolean) {
    this.#on = value;
    try {
      if (value) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, "off");
    } catch {
      // No storage: it holds until the page is loaded again.
    }
  }

  onkeydown = (event: KeyboardEvent): void => {
    if (!this.#on || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    if (!(at instanceof Element) || at.closest("input, select, textarea, dialog, [contenteditable]")) return;
    const second = Date.now() - this.#pair < PAIR_MS;
    this.#pair = 0;
    const way = second ? WAYS[event.key] : undefined;
    if (way !== undefined) router.go(way);
    else if (event.key === "g") this.#pair = Date.now();
    else if (event.key === "?") router.go("/help");
    else if (/^[1-9]$/.test(event.key)) row(Number(event.key) - 1)?.focus();
    else return;
    event.preventDefault();
  };
}

/** The switch of the n-th row, so that Space turns it. */
function row(index: number): HTMLElement | undefined {
  const rows = document.querySelectorAll<HTMLElement>("li[id^=row-]");
  return rows[index]?.querySelector<HTMLElement>("[role=switch]") ?? undefined;
}

function stored(): boolean {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

export const shortcuts = new Shortcuts();
