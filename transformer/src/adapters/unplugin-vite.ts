/**
 * The hooks of Vite: a build for servers (`build.ssr`, or a server environment) like Rollup's, and development (`ssrLoadModule`, a module runner), where
 * each file is transformed when it is asked for and the chunks go into the cache folder. Code for browsers can't hold parallel functions.
 */
import * as path from "node:path";
import type { HostBuildOptions } from "../emit/options";
import { portableRelative } from "../emit/paths";
import { readManifestFile, removeStale } from "../emit/write-output";
import { packageRoot } from "./project-files";
import { UnpluginBuild } from "./unplugin-build";
import type { UnpluginOptions } from "./plugin-types";
import type { HostFacts } from "./unplugin-host";
import {
  emitChunks,
  entryFiles,
  externalSelf,
  formatOf,
  outputKey,
  type OutputOptions,
  OWN_FILTER,
  resolveBy,
  type RollupContext,
  transformIn,
  withOutputKey,
} from "./unplugin-rollup";

/** What is used of Vite's resolved configuration, or of an environment's. */
interface ViteConfig {
  root: string;
  command: "build" | "serve";
  mode: string;
  base: string;
  env?: Record<string, unknown>;
  define?: Record<string, unknown>;
  consumer?: "client" | "server";
  build: { ssr?: boolean | string; outDir: string };
}

interface ViteContext extends RollupContext {
  environment?: { name: string; config: ViteConfig };
}

const BROWSER =
  "makeparallel: this file has parallel functions, but is built for browsers, which have none of Node's worker threads. " +
  "Build it for the server (`build.ssr`, or an environment whose consumer is `server`), or import it from server code only.";

interface State {
  build: Promise<UnpluginBuild>;
  /** The hooks' context of the moment, which resolves. */
  context: ViteContext;
}

export function viteHooks(options: UnpluginOptions) {
  let config: ViteConfig | undefined;
  const states = new Map<string, State>();
  const stale = new Map<string, () => void>();

  /** Each environment is a build of its own, and with Rolldown each of its outputs is. */
  const keyOf = ({ environment, outputOptions }: ViteContext): string => [environment?.name ?? "", formatOf(outputOptions)].join("\0");

  const enter = (context: ViteContext, input?: unknown): Promise<UnpluginBuild> => {
    const key = keyOf(context);
    let state = states.get(key);
    if (state) {
      state.context = context;
    } else {
      const created: State = { context, build: undefined as unknown as Promise<UnpluginBuild> };
      created.build = start(() => created.context, input);
      states.set(key, created);
      state = created;
    }
    return state.build;
  };

  const start = async (context: () => ViteContext, input: unknown): Promise<UnpluginBuild> => {
    const own = context().environment?.config;
    const current = { ...config!, ...own } as ViteConfig;
    const { root, command } = current;
    const { entries, hasHiddenEntries } = await entryFiles(context(), input, root);
    const facts: HostFacts = {
      name: "vite",
      cwd: root,
      entries: command === "build" ? entries : [],
      // Code for browsers has no tasks, wherever it is entered.
      hasHiddenEntries: hasHiddenEntries === true && current.consumer !== "client",
      identity: [
        context().environment?.name ?? "",
        portableRelative(packageRoot(root), path.resolve(root, current.build.outDir)),
        formatOf(context().outputOptions),
      ],
      location: command === "build" ? "import.meta.url" : undefined,
      settings: settingsOf(current),
      resolve: (specifier, fromFile, kind) => resolveBy(context(), specifier, fromFile, kind, undefined),
    };
    return new UnpluginBuild(facts, options);
  };

  return {
    async transform(this: unknown, code: string, id: string, transformOptions?: { ssr?: boolean }) {
      const context = this as ViteContext;
      const consumer = context.environment?.config.consumer ?? (transformOptions?.ssr ? "server" : "client");
      return transformIn(context, await enter(context), code, id, consumer === "client" ? BROWSER : undefined);
    },
    vite: {
      config: () => ({ ssr: { external: ["makeparallel"] } }),
      configResolved(resolved: unknown): void {
        config = resolved as ViteConfig;
      },
      resolveId: {
        order: "pre" as const,
        filter: OWN_FILTER,
        handler(this: unknown, source: string, importer?: string, resolveOptions?: object) {
          return config?.command === "build" ? externalSelf.call(this, source, importer, resolveOptions) : null;
        },
      },
      async buildStart(this: unknown, input?: { input?: unknown }): Promise<void> {
        const context = this as ViteContext;
        if (config?.command !== "build") return;
        const isFirst = !states.has(keyOf(context));
        const build = await enter(context, input?.input);
        if (!isFirst) build.nextBuild();
      },
      renderChunk: {
        order: "pre" as const,
        // Vite with Rolldown, which builds for each output, has nothing to do here.
        filter: { code: /\bmakeparallel\b/ },
        async handler(this: unknown, code: string, _chunk: unknown, output: OutputOptions) {
          const context = this as ViteContext;
          const build = await states.get(keyOf(context))?.build;
          return build && withOutputKey(context, build, code, output);
        },
      },
      generateBundle: {
        // Vite drops what was emitted before from builds for servers.
        order: "post" as const,
        async handler(this: unknown, output: OutputOptions): Promise<void> {
          const context = this as ViteContext;
          const key = keyOf(context);
          const state = states.get(key);
          if (!state) return;
          state.context = context;
          const build = await state.build;
          const outcome = await emitChunks(context, build, output);
          if (!outcome) return;
          const { folder, bundle } = outcome;
          const before = readManifestFile(folder, bundle.manifest.key);
          if (before) stale.set(bundle.manifest.key, () => removeStale(folder, before, bundle));
        },
      },
      async writeBundle(this: unknown, output: OutputOptions): Promise<void> {
        const context = this as ViteContext;
        const build = await states.get(keyOf(context))?.build;
        if (!build) return;
        const key = outputKey(context, build, output);
        stale.get(key)?.();
        stale.delete(key);
      },
    },
  };
}

/** What Vite replaces in the program's code is replaced in chunks too. */
function settingsOf({ define, env, command, consumer, build }: ViteConfig): HostBuildOptions {
  const all: Record<string, string> = {};
  for (const [name, value] of Object.entries(define ?? {})) all[name] = typeof value === "string" ? value : JSON.stringify(value);
  const metaEnv = { ...env, SSR: consumer === undefined ? Boolean(build.ssr) || command === "serve" : consumer === "server" };
  for (const [name, value] of Object.entries(metaEnv)) all[`import.meta.env.${name}`] = JSON.stringify(value) ?? "undefined";
  all["import.meta.env"] = JSON.stringify(metaEnv);
  return { define: all };
}
