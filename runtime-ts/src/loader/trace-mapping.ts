import type { TraceMap } from "@jridgewell/trace-mapping";

export type { TraceMap };

/** The library that reads source maps. Loaded with the first stack that is mapped: most workers never need it, and it is half a megabyte in each. */
export function traceMapping(): typeof import("@jridgewell/trace-mapping") {
  return require("@jridgewell/trace-mapping") as typeof import("@jridgewell/trace-mapping");
}
