import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

/**
 * Takes of mpegts.js, from its sources, what plays FLV in this thread: no transport streams, workers or loaders of its
 * own. That is half of what its ready-made file holds.
 */
export function flvOnly(): Plugin {
  const source = fileURLToPath(new URL("../node_modules/mpegts.js/src/", import.meta.url));
  const parts: Readonly<Record<string, string>> = {
    "player-core": "player/player-engine-main-thread.ts",
    "player-core/errors": "player/player-errors.js",
    "player-core/events": "player/player-events.ts",
    "player-core/log": "utils/logging-control.js",
  };
  const unused = [
    "demux/ts-demuxer",
    "core/transmuxing-worker",
    "utils/webworkify-webpack",
    "io/fetch-stream-loader",
    "io/xhr-moz-chunked-loader",
    "io/xhr-range-loader",
    "io/websocket-loader",
  ];
  return {
    name: "flv-only",
    enforce: "pre",
    resolveId: (id) => {
      const part = parts[id];
      return part === undefined ? null : source + part;
    },
    load(id) {
      if (!id.startsWith(source)) return null;
      return unused.includes(id.slice(source.length).replace(/\.[jt]s$/, "")) ? "export default class {}" : null;
    },
    transform(code, id) {
      if (!id.startsWith(source)) return null;
      // As its own builder reads these.
      return code
        .replace("import * as EventEmitter from", "import EventEmitter from")
        .replace(/require\.resolve\([^)]*\)/, "null");
    },
  };
}
