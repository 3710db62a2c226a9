/**
 * What `doctor` can find: codes that stay, as those of the transformer do (MP1xxx errors, MP2xxx warnings, MP3xxx notes). Messages and fixes name the project's
 * own files and are made where a finding is; here is what each means.
 */

export type Severity = "error" | "warning" | "note";

export interface FindingEntry {
  severity: Severity;
  title: string;
  /** What to do, in general. */
  fix: string;
  why: string;
}

export const FINDINGS = {
  MP4001: {
    severity: "error",
    title: "Node is too old",
    fix: "Update Node to a version that makeparallel supports.",
    why: "The runtime and its tools need features of worker threads and of module loading that earlier versions do not have.",
  },
  MP4002: {
    severity: "error",
    title: "A file of the setup can't be read",
    fix: "Mend the file that is named.",
    why: "package.json and tsconfig.json say how the project is built. When one is missing or not valid, nothing else can be checked.",
  },
  MP4003: {
    severity: "error",
    title: "makeparallel is not installed",
    fix: "Install it among the dependencies: npm install makeparallel.",
    why: "The program that is built loads makeparallel when it runs.",
  },
  MP4004: {
    severity: "warning",
    title: "makeparallel is only a development dependency",
    fix: "Move it to dependencies.",
    why: "An installation without development dependencies, as servers make it, would leave out what the program loads.",
  },
  MP4005: {
    severity: "error",
    title: "There are several copies of makeparallel",
    fix: "Let one version serve all: align the ranges, then `npm dedupe` (or your package manager's counterpart).",
    why: "Each copy has a pool and classes of its own: threads are started twice, and a handle of one copy is a stranger to the other.",
  },
  MP4006: {
    severity: "error",
    title: "TypeScript is missing or too old",
    fix: "Install TypeScript 5.4 or later.",
    why: "The transformer reads programs through the TypeScript compiler API.",
  },
  MP4007: {
    severity: "error",
    title: "This TypeScript can't run transformers",
    fix: "Build with esbuild and the plugin makeparallel/esbuild, or with TypeScript 5 or 6 and ts-patch.",
    why: "TypeScript 7 exports no compiler API, so there is nothing that a plugin could hook into; ts-patch does not exist for it.",
  },
  MP4008: {
    severity: "error",
    title: "ts-patch is missing",
    fix: "Install it: npm install --save-dev ts-patch@^3.3.0 (for TypeScript 6: ts-patch@^4.0.1).",
    why: "`tsc` itself ignores transformers in `plugins`; ts-patch brings `tspc`, which is `tsc` with them.",
  },
  MP4009: {
    severity: "error",
    title: "ts-patch does not fit TypeScript",
    fix: "TypeScript 5 goes with ts-patch 3.3, TypeScript 6 with ts-patch 4.",
    why: "ts-patch changes the compiler's own code in memory and knows the versions that it was made for.",
  },
  MP4010: {
    severity: "error",
    title: "Node is too old for ts-patch 4",
    fix: "Update Node to 22.15 or later, or stay with TypeScript 5.9 and ts-patch 3.3.",
    why: "ts-patch 4, which TypeScript 6 needs, does not run on earlier versions. The built program does.",
  },
  MP4011: {
    severity: "error",
    title: "The transformer is not in tsconfig.json",
    fix: 'Add "plugins": [{ "transform": "makeparallel/transformer" }] to the compilerOptions of the configuration that builds; `npx makeparallel init` does it.',
    why: "Without the entry the compiler leaves marked functions as they are, and their calls throw NotTransformedError.",
  },
  MP4012: {
    severity: "error",
    title: "The transformer's entry in tsconfig.json is wrong",
    fix: 'Write it as { "transform": "makeparallel/transformer" }.',
    why: "ts-patch loads the module that the entry names. `makeparallel` alone is the runtime, and paths into the package may change.",
  },
  MP4013: {
    severity: "error",
    title: "The project is built with plain tsc",
    fix: "Call `tspc` in place of `tsc` where JavaScript is written; checks with --noEmit may stay.",
    why: "`tsc` ignores transformers in `plugins` without a word, unless `ts-patch install` has patched it.",
  },
  MP4014: {
    severity: "error",
    title: "esbuild builds without the plugin",
    fix: "Put makeparallel() from \"makeparallel/esbuild\" first in the list of plugins. esbuild's command line can't load plugins: write a build script.",
    why: "esbuild does not read `plugins` of tsconfig.json.",
  },
  MP4015: {
    severity: "error",
    title: "The built output has untransformed marks",
    fix: "Mend the setup, then build again.",
    why: "A call of such a function throws NotTransformedError when the program runs.",
  },
  MP4016: {
    severity: "error",
    title: "The output's manifest is missing",
    fix: "Build again, and keep the folder parallel-chunks with the output when it is copied.",
    why: "The manifest says which chunk holds a function. Transformed files find it in parallel-chunks beside them or in a folder above.",
  },
  MP4017: {
    severity: "error",
    title: "A manifest can't be used",
    fix: "Build again with the version of makeparallel that the program runs with.",
    why: "The file is damaged, or was written in another version's format.",
  },
  MP4018: {
    severity: "error",
    title: "A chunk is missing",
    fix: "Build again, and copy the whole folder parallel-chunks with the output.",
    why: "The manifest names a file that is not there, so its functions can't run.",
  },
  MP4019: {
    severity: "error",
    title: "A chunk is not the one that was built",
    fix: "Build again. If another tool rewrites files of the output (a minifier, a formatter, line end conversion), leave parallel-chunks out.",
    why: "The file's SHA-256 differs from the manifest's. The runtime refuses to evaluate it.",
  },
  MP4020: {
    severity: "warning",
    title: "The output is older than the source",
    fix: "Build again.",
    why: "A source file with a parallel function has changed, or is gone, since the chunks were written.",
  },
  MP4021: {
    severity: "warning",
    title: "The native backend can't be used here",
    fix: "Install makeparallel again on this platform; without a binary for it, the TypeScript backend does the work, more slowly.",
    why: "The package has binaries for some platforms. Where none loads, everything still runs, on a backend that is written in TypeScript.",
  },
  MP4022: {
    severity: "warning",
    title: "A tool in use has no adapter",
    fix: "See the message for the way that works today.",
    why: "A bundler or test runner that compiles sources itself leaves marks as they are, unless it has an adapter.",
  },
  MP4023: {
    severity: "note",
    title: "A configuration writes no JavaScript",
    fix: "Nothing, if something else writes it.",
    why: "With `noEmit` the transformer reports mistakes, but hoists nothing.",
  },
  MP4024: {
    severity: "note",
    title: "isolatedModules is on",
    fix: "Nothing: the transformer works with it under tspc. What compiles files one by one (transpileModule, swc, babel) does not run it.",
    why: "The option says that another tool may be what compiles the files.",
  },
  MP4025: {
    severity: "note",
    title: "Nothing has been built yet",
    fix: "Build, then run doctor again.",
    why: "The output can be checked only when it is there.",
  },
  MP4026: {
    severity: "error",
    title: "Nothing builds this project",
    fix: "Run `npx makeparallel init` in the package that has parallel functions.",
    why: "No configuration was found that writes JavaScript, and no build by esbuild.",
  },
  MP4027: {
    severity: "error",
    title: "esbuild does not run",
    fix: "Install again, with optional dependencies: esbuild's program for a platform is one of those.",
    why: "Chunks are bundled by esbuild, whichever tool builds the program. Its program comes as an optional dependency, which `--omit=optional` leaves out.",
  },
  MP4028: {
    severity: "error",
    title: "The output's modules are not what package.json says",
    fix: 'Let "type" of package.json and the format that is built agree ("module": "NodeNext" in tsconfig.json makes what package.json says), then build again.',
    why: 'Node takes a .js file for an ES module if the nearest package.json says "type": "module", and for CommonJS if it says "commonjs", and can\'t load the other kind.',
  },
  MP4029: {
    severity: "warning",
    title: "Chunks are left out",
    fix: "Take the folder parallel-chunks along wherever the rest of the output goes.",
    why: "A published package, a container or a checkout that has the program without its chunks fails at the first call.",
  },
  MP4030: {
    severity: "warning",
    title: "The plugin is not the first",
    fix: 'Put makeparallel() from "makeparallel/esbuild" first in the list of plugins.',
    why: "esbuild gives a file to the first plugin that takes it. Marks in files that another one takes stay as they are.",
  },
  MP4031: {
    severity: "warning",
    title: "A tool in use is not set up",
    fix: "Add what the message names to its configuration.",
    why: "It compiles or runs sources itself. Marks that it meets stay as they are, and their calls throw NotTransformedError.",
  },
} as const satisfies Record<string, FindingEntry>;

export type FindingCode = keyof typeof FINDINGS;

export interface Finding {
  code: FindingCode;
  /** What is wrong, with the names of files and versions. */
  message: string;
  /** What to do here. */
  fix: string;
}
