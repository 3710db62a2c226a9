/** The backends that this machine has. The only place that decides it: tests of an absent native binary are not listed. */
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { ROOT, RUNTIME } from "./chunks";

export type BackendName = "native" | "typescript" | "inline";

const nativeFolder = path.join(ROOT, "dist", "native");

export const hasNative =
  existsSync(nativeFolder) &&
  readdirSync(nativeFolder).some((name) => name.endsWith(".node")) &&
  existsSync(path.join(RUNTIME, "pool", "native.js"));

/** Backends with workers. */
export const threaded: readonly BackendName[] = hasNative ? ["native", "typescript"] : ["typescript"];

export const all: readonly BackendName[] = [...threaded, "inline"];
