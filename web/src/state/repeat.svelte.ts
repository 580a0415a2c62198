import { untrack } from "svelte";
import { Problem, Unreachable } from "../api/problem";
import { theBox } from "./box.svelte";
import { every } from "./tick";

/**
 * Does `work` at once and then every so many seconds for as long as the component lives, while the box can be reached and
 * somebody looks. For what the live socket does not carry.
 */
export function repeat(seconds: number, work: () => Promise<void>): void {
  $effect(() => {
    if (!theBox.reachable) return;
    let busy = false;

    const round = async () => {
      if (busy) return;
      busy = true;
      try {
        await work();
      } catch (error) {
        // The next round may do better; that the box is away is said elsewhere.
        if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
      } finally {
        busy = false;
      }
    };
    untrack(() => void round());
    return every(seconds, () => void round());
  });
}
