/**
 * Turns one ES module that esbuild printed into a chunk (ARCHITECTURE.md, "The chunk format").
 *
 * Takes: the module's text and map, how its externals are called, and what its sources are. Gives: the script, its map, and whether its body awaits
 * at the top level. esbuild converts to CommonJS; it cannot for modules with top-level await, for which TypeScript does. Modules are strict code, and chunks
 * say that they are, which esbuild leaves out; CommonJS modules of packages may not be (sloppy-modules.ts).
 */
import { decodedMappings, encodedMappings, TraceMap } from "@jridgewell/trace-mapping";
import * as esbuild from "esbuild";
import { isImportMeta, PLACE_PROPERTIES } from "../analyze/syntax";
import type { TypeScript } from "../core";
import { cheapNames } from "./function-names";
import { editMapped, type Segment, type TextEdit } from "./mapped-text";
import { takeOutSloppy } from "./sloppy-modules";

export interface RawSourceMap {
  version: 3;
  sources: string[];
  sourcesContent?: (string | null)[];
  names: string[];
  mappings: string;
}

export interface ChunkInput {
  /** File name of the chunk. */
  name: string;
  code: string;
  map: RawSourceMap;
  /** Specifiers of `import()` calls in it, request keys of lazy externals, and other chunks as `./name`: what of the loader is called for them. */
  dynamicImports: ReadonlyMap<string, string>;
  /** Files beside the chunks that code finds by their paths (esbuild's `file` loader): as esbuild has it, and as seen from the program's output. */
  assets: ReadonlyMap<string, string>;
  target: string | string[];
  /** Modules of packages in it that are no strict code, by their names in esbuild's metafile. */
  sloppy: ReadonlySet<string>;
  /** A `"use strict"` that esbuild has given such a module, by the project's tsconfig, is the host's as well. */
  keepsDirectives: boolean;
}

export interface ChunkOutput {
  code: string;
  /** Sources still as in the input. */
  map: RawSourceMap;
  async: boolean;
}

/** Source of what esbuild adds itself. */
export const GENERATED = "makeparallel:generated";

const PARAMETERS = "exports, require, module, __filename, __dirname, __mp_chunk";

export async function toChunk(ts: () => TypeScript, input: ChunkInput): Promise<ChunkOutput> {
  const edits = input.code.includes("__name") ? cheapNames(ts(), input.code) : [];
  edits.push(...dynamicImportEdits(input.code, input.dynamicImports), ...assetEdits(input.code, input.assets));
  const edited = editMapped(input.code, decoded(input.map), edits);
  const map: RawSourceMap = { ...input.map, mappings: encoded(edited.mappings) };

  const body = (await toCommonJs(edited.text, map, input.target)) ?? toAsyncCommonJs(ts(), edited.text, map);
  const split = body.async ? undefined : takeOutSloppy(ts, body.code.trimEnd(), decoded(body.map), input);
  const text = split?.code ?? body.code.trimEnd();
  const mappings = split ? encoded(split.mappings) : body.map.mappings;
  const strict = split ? "" : ' "use strict";';
  const code = `(${body.async ? "async " : ""}function (${PARAMETERS}) {${strict}\n${text}\n})\n//# sourceMappingURL=${input.name}.map\n`;
  // The wrapper's first line pushes everything one line down.
  return { code, map: { ...body.map, mappings: `;${mappings}` }, async: body.async };
}

/** `import("x")` becomes `__mp_chunk.import("x")`: only the loader knows where `x` is resolved from. */
function dynamicImportEdits(code: string, specifiers: ReadonlyMap<string, string>): TextEdit[] {
  if (specifiers.size === 0) return [];
  const edits: TextEdit[] = [];
  for (const match of code.matchAll(/(?<![\w$.])import\(("(?:[^"\\\n]|\\.)*")/g)) {
    const owner = specifiers.get(JSON.parse(match[1]) as string);
    if (owner !== undefined) edits.push({ start: match.index, end: match.index, text: `${owner}.` });
  }
  return edits;
}

function assetEdits(code: string, assets: ReadonlyMap<string, string>): TextEdit[] {
  if (assets.size === 0) return [];
  return [...code.matchAll(/"(\.\/[^"\\\n]+)"/g)].flatMap(({ 0: written, 1: from, index }) => {
    const to = assets.get(from);
    return to === undefined ? [] : [{ start: index, end: index + written.length, text: JSON.stringify(to) }];
  });
}

async function toCommonJs(code: string, map: RawSourceMap, target: string | string[]): Promise<ChunkOutput | undefined> {
  const inlineMap = Buffer.from(JSON.stringify(map)).toString("base64");
  try {
    const result = await esbuild.transform(`${code}\n//# sourceMappingURL=data:application/json;base64,${inlineMap}`, {
      // A chunk of nothing but ASCII is a string of one byte a character, which the loader makes and V8 reads several times faster.
      charset: "ascii",
      define: Object.fromEntries(PLACE_PROPERTIES.map((name) => [`import.meta.${name}`, `__mp_chunk.${name}`])),
      format: "cjs",
      legalComments: "inline",
      loader: "js",
      logLevel: "silent",
      platform: "node",
      sourcefile: GENERATED,
      sourcemap: "external",
      sourcesContent: false,
      target,
    });
    return { code: result.code, map: JSON.parse(result.map) as RawSourceMap, async: false };
  } catch (error) {
    const { errors } = error as Partial<esbuild.TransformFailure>;
    if (errors?.some((message) => message.text.includes("Top-level await"))) return undefined;
    throw error;
  }
}

function toAsyncCommonJs(ts: TypeScript, code: string, map: RawSourceMap): ChunkOutput {
  const result = ts.transpileModule(code, {
    // With the extension of an ES module TypeScript would not convert it.
    fileName: "chunk.js",
    transformers: { before: [importMeta(ts)] },
    compilerOptions: {
      allowJs: true,
      esModuleInterop: true,
      module: ts.ModuleKind.CommonJS,
      sourceMap: true,
      target: ts.ScriptTarget.ES2022,
    },
  });
  const own = JSON.parse(result.sourceMapText as string) as RawSourceMap;
  return {
    code: result.outputText.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n"),
    map: compose(own, map),
    async: true,
  };
}

/** What `define` is to {@link toCommonJs}. */
function importMeta(ts: TypeScript): import("typescript").TransformerFactory<import("typescript").SourceFile> {
  const names = new Set<string>(PLACE_PROPERTIES);
  return (context) => (file) => {
    const { factory } = context;
    const visit = (node: import("typescript").Node): import("typescript").Node => {
      if (ts.isPropertyAccessExpression(node) && isImportMeta(ts, node.expression) && names.has(node.name.text))
        return factory.createPropertyAccessExpression(factory.createIdentifier("__mp_chunk"), node.name);
      // A script has none.
      if (isImportMeta(ts, node)) return factory.createParenthesizedExpression(factory.createObjectLiteralExpression());
      return ts.visitEachChild(node, visit, context);
    };
    return ts.visitEachChild(file, visit, context);
  };
}

/** The map from `outer`'s output to `inner`'s sources. */
function compose(outer: RawSourceMap, inner: RawSourceMap): RawSourceMap {
  const innerLines = decoded(inner);
  const mappings = decoded(outer).map((line) => {
    const composed: Segment[] = [];
    for (const segment of line) {
      if (segment.length === 1) continue;
      const found = lastUpTo(innerLines[segment[2]] ?? [], segment[3]);
      if (found && found.length > 1) composed.push([segment[0], ...found.slice(1)] as Segment);
    }
    return composed;
  });
  return { ...inner, mappings: encoded(mappings) };
}

function lastUpTo(line: readonly Segment[], column: number): Segment | undefined {
  let found: Segment | undefined;
  for (const segment of line) {
    if (segment[0] > column) break;
    found = segment;
  }
  return found;
}

export function decoded(map: RawSourceMap): Segment[][] {
  return decodedMappings(new TraceMap({ ...map })) as Segment[][];
}

export function encoded(mappings: Segment[][]): string {
  return encodedMappings(new TraceMap({ version: 3, sources: [], names: [], mappings }));
}
