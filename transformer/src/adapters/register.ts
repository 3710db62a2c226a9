/**
 * `node --import makeparallel/register app.ts`: runs TypeScript with marks from its sources, for development.
 *
 * Installs: hooks for ES modules (in this thread where Node has `registerHooks`, else in Node's hooks thread), and the handlers of `require` for CommonJS. Both
 * compile through register-compile.ts. Stacks show the places in the sources.
 */
import * as nodeModule from "node:module";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { isMainThread, workerData } from "node:worker_threads";
import { hooks } from "./register-hooks";
import { installRequire } from "./register-require";
import { reportFromThread, watchReport } from "./register-watch";

interface NodeModuleApi {
  registerHooks?(hooks: object): unknown;
  register(specifier: string, options: { parentURL: string; data: unknown; transferList?: readonly unknown[] }): void;
}

/** Pool workers inherit node's flags, but run chunks, which are compiled already. */
function isPoolWorker(): boolean {
  const data = workerData as { grace?: unknown; idleTimeout?: unknown } | null;
  return !isMainThread && typeof data === "object" && data !== null && "grace" in data && "idleTimeout" in data;
}

const INSTALLED = Symbol.for("makeparallel.register");

function install(): void {
  const state = globalThis as { [INSTALLED]?: true };
  if (state[INSTALLED] || isPoolWorker()) return;
  state[INSTALLED] = true;
  process.setSourceMapsEnabled(true);
  const entry = process.argv[1];
  const { register, registerHooks } = nodeModule as unknown as NodeModuleApi;
  const report = watchReport();
  if (registerHooks) registerHooks(hooks(entry, report));
  else {
    const watched = report && reportFromThread(report);
    register(pathToFileURL(path.join(__dirname, "register-thread.js")).href, {
      parentURL: pathToFileURL(__filename).href,
      data: { entry, watched },
      // Under `--require`, Node 20 ends without a word where there is an empty list.
      ...(watched && { transferList: [watched] }),
    });
  }
  installRequire(entry, report);
}

install();
