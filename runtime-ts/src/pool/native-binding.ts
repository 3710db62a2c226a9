/**
 * Finds and loads the native addon. Nothing here knows what it does.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { OWN_FOLDER } from "../own-folder";
import { descriptorAdvice } from "../descriptors";
import { addonsAreDenied } from "../permissions";
import type * as Binding from "../../../runtime-native";

export type NativeBinding = typeof Binding;

/** Where the build and the package have it, seen from dist/runtime-ts/src. */
const FOLDER = join(OWN_FOLDER, "../../native");

/** `linux-x64-gnu`, `darwin-arm64`, …; on Linux both C libraries, since telling them apart costs more than trying. */
function targets(): string[] {
  const target = `${process.platform}-${process.arch}`;
  return process.platform === "linux" ? [`${target}-gnu`, `${target}-musl`] : [target];
}

export interface Missing {
  /** Why it can't be used. */
  readonly reason: string;
  /** It is there, and Node has been told not to load it. */
  readonly forbidden?: boolean;
  /** What may be done about it, where that may help while the program runs: it is there, and loads as soon as there are file descriptors. */
  readonly advice?: string;
}

let found: { path: string; binding: NativeBinding } | Missing | undefined;

function load(folder: string): { path: string; binding: NativeBinding } | Missing {
  // It ends the process at the first call of a libuv function that it does not have.
  if (process.versions["bun"] !== undefined) return { reason: "Bun does not have the libuv functions that the native backend calls" };
  const failures: string[] = [];
  let forbidden = false;
  for (const target of targets()) {
    const path = join(folder, `makeparallel.${target}.node`);
    if (!existsSync(path)) continue;
    try {
      return { path, binding: require(path) as NativeBinding };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      forbidden ||= addonsAreDenied() || (error as NodeJS.ErrnoException | undefined)?.code === "ERR_DLOPEN_DISABLED";
      failures.push(
        addonsAreDenied() ? `${message.replace(/\.$/, "")}; Node's permission model is on, start the program with --allow-addons` : message,
      );
    }
  }
  const reason = failures.join("; ");
  if (failures.length > 0) return { reason: `its binary does not load: ${reason}`, forbidden, advice: descriptorAdvice(reason) };
  return { reason: `there is no binary for ${targets().join(" or ")} in ${folder}` };
}

/**
 * Whether the addon is there and loads; the answer of the first call is kept, but for one that may be another next time.
 * @param folder that it is in, for code that is bundled elsewhere
 */
export function findBinding(folder: string = FOLDER): { path: string; binding: NativeBinding } | Missing {
  const answer = found ?? load(folder);
  if (!("advice" in answer) || answer.advice === undefined) found = answer;
  return answer;
}

/** @throws Error when it is not there */
export function loadBinding(): NativeBinding {
  const result = findBinding();
  if ("reason" in result) throw new Error(`makeparallel: the native backend can't be used: ${result.reason}.`);
  return result.binding;
}

/** Whether the engine is V8, so that memory can be moved between its isolates. */
export function engineIsV8(): boolean {
  const { versions } = process;
  return versions.v8 !== undefined && versions["bun"] === undefined && versions["deno"] === undefined;
}
