import { defineConfig } from "vitest/config";

// One run, one box: the cases build on each other, as a person's first evening does.
export default defineConfig({
  test: {
    include: ["e2e/**/*.e2e.ts"],
    root: new URL("..", import.meta.url).pathname,
    fileParallelism: false,
    // Node 20 has WebSocket only when asked for; the tests speak to Firefox by it.
    execArgv: ["--experimental-websocket"],
    sequence: { concurrent: false, shuffle: false },
    bail: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["verbose"],
  },
});
