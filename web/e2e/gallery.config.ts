import { defineConfig } from "vitest/config";

// `make screenshots`: every screen of a real box in both themes and two sizes, for people to look at.
export default defineConfig({
  test: {
    include: ["e2e/gallery.ts"],
    root: new URL("..", import.meta.url).pathname,
    testTimeout: 600_000,
    hookTimeout: 60_000,
  },
});
