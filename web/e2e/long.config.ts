import { defineConfig } from "vitest/config";

// A long look at the Live screen; too long for any suite.
export default defineConfig({
  test: {
    include: ["e2e/long.ts"],
    root: new URL("..", import.meta.url).pathname,
    testTimeout: 2 * 3_600_000,
    hookTimeout: 60_000,
  },
});
