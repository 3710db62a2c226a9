/**
 * Finds the compiler API.
 *
 * Under ts-patch, ts-loader or ts-jest it is the host's own. Elsewhere: the project's `typescript`, if that has the API (7.0 has none), or
 * `@typescript/typescript6`; else one that is installed beside makeparallel; else the copy that is part of it.
 */
import { createRequire } from "node:module";
import * as path from "node:path";
import type { TypeScript } from "../core";

/** Made by scripts/lib/vendored-typescript.mjs. */
const VENDORED = "../../../vendor/typescript.js";

const found = new Map<string, TypeScript>();

/**
 * @param root folder of the project
 * @param hosts path of the host's own compiler, if it is known
 * @throws Error that says what to install
 */
export function findTypeScript(root: string, hosts?: string): TypeScript {
  const key = `${root}\0${hosts ?? ""}`;
  let ts = found.get(key);
  if (!ts) {
    ts = search(root, hosts);
    found.set(key, ts);
  }
  return ts;
}

function search(root: string, hosts: string | undefined): TypeScript {
  const fromProject = createRequire(path.join(root, "package.json"));
  const own = createRequire(__filename);
  const seen: string[] = [];
  const candidates: [NodeJS.Require, string][] = [
    ...(hosts === undefined ? [] : [[own, hosts] as [NodeJS.Require, string]]),
    [fromProject, "typescript"],
    [fromProject, "@typescript/typescript6"],
    [own, "typescript"],
    [own, "@typescript/typescript6"],
    [own, VENDORED],
  ];
  for (const [require, name] of candidates) {
    let ts: Partial<TypeScript>;
    try {
      ts = require(name) as Partial<TypeScript>;
    } catch {
      continue;
    }
    if (typeof ts.createSourceFile === "function" && typeof ts.transpileModule === "function") return ts as TypeScript;
    if (name !== VENDORED) seen.push(`${name} ${ts.version ?? ""}`.trim());
  }
  throw new Error(
    `makeparallel needs the TypeScript compiler API to transform ${root}. ` +
      (seen.length === 0 ? "No `typescript` was found" : `What is installed (${seen.join(", ")}) does not have it`) +
      ", and makeparallel's own copy is missing. Install makeparallel again, or TypeScript 5.4 to 6: `npm install --save-dev typescript@5.9`.",
  );
}
