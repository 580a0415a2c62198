import { box } from "../api/client";
import type { Machine } from "../api/types";
import { repeat } from "./repeat.svelte";

/** What the box says of the machine it runs on, for as long as a component shows it. */
export function watchMachine(): { readonly now: Machine | null } {
  let now = $state.raw<Machine | null>(null);
  repeat(5, async () => {
    now = await box.machine();
  });
  return {
    get now() {
      return now;
    },
  };
}
