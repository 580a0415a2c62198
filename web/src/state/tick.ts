interface Task {
  everyS: number;
  leftS: number;
  work(): void;
}

const tasks = new Set<Task>();
let timer: ReturnType<typeof setInterval> | undefined;

/**
 * Does `work` every so many seconds until the answer is called: all that the page does by the clock in one wake-up a
 * second, and none while nobody looks. It is made up for at once when somebody looks again.
 */
export function every(seconds: number, work: () => void): () => void {
  const task = { everyS: seconds, leftS: seconds, work };
  tasks.add(task);
  settle();
  return () => {
    tasks.delete(task);
    settle();
  };
}

function beat(): void {
  for (const task of tasks) {
    task.leftS -= 1;
    if (task.leftS > 0) continue;
    task.leftS = task.everyS;
    task.work();
  }
}

function settle(): void {
  const awake = tasks.size > 0 && document.visibilityState === "visible";
  if (awake) timer ??= setInterval(beat, 1000);
  else timer = void clearInterval(timer);
}

document.addEventListener("visibilitychange", () => {
  settle();
  if (timer === undefined) return;
  for (const task of tasks) task.leftS = 1;
  beat();
});
