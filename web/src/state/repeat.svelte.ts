import { untrack } from "svelte";
import { Problem, Unreachable } from "../api/problem";
import { theBox } from "./box.svelte";

/**
 * Does `work` at once and then every `ms` for as long as the component lives, while the box can be reached and somebody
 * looks. For what the live socket does not carry.
 */
export function repeat(ms: number, work: () => Promise<void>): void {
  $effect(() => {
    if (!theBox.reachable) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;

    const round = async () => {
      try {
        if (document.visibilityState === "visible") await work();
      } catch (error) {
        // The next round may do better; that the box is away is said elsewhere.
        if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
      } finally {
        if (!over) timer = setTimeout(round, ms);
      }
    };
    untrack(() => void round());
    return () => {
      over = true;
      clearTimeout(timer);
    };
  });
}
