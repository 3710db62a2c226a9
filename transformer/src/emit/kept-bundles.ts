/**
 * The last bundle of each manifest, for the builds of a watch mode in which no slice has changed: most edits concern no task.
 *
 * Kept is only what came of the plan and the options alone, so that equal ones give an equal bundle: where esbuild looked for a package or read a file, that may
 * have changed as well. The maps alone hold more, the text of whole files, and are finished again where that has changed.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as esbuild from "esbuild";
import type { SlicePlan } from "../core";
import type { Bundle } from "./bundle";
import type { BundleOptions } from "./options";
import { formatOf } from "./slice-plugin";
import type { FinishedMap, SourceTexts } from "./source-maps";

/** What the maps of a bundle are made of. */
export interface KeptMaps {
  texts: SourceTexts;
  /** By file name: the absolute paths of its sources, and how it is finished. */
  maps: Map<string, { files: readonly string[]; finish: () => FinishedMap }>;
}

const kept = new Map<string, { digest: string; bundle: Bundle; maps: KeptMaps }>();
const LIMIT = 20;

/** @param digest of {@link digestOf} */
export function keptBundle(options: BundleOptions, digest: string | undefined): Bundle | undefined {
  const last = kept.get(placeOf(options));
  if (!last || last.digest !== digest) return undefined;
  const { texts, maps } = last.maps;
  const changed = texts.refresh();
  if (changed.size === 0) return last.bundle;
  const files = new Map(last.bundle.files);
  for (const [name, { files: sources, finish }] of maps) {
    if (sources.some((file) => changed.has(file))) files.set(name, Buffer.from(finish().json));
  }
  return (last.bundle = { ...last.bundle, files });
}

export function keepBundle(options: BundleOptions, digest: string | undefined, bundle: Bundle, maps: KeptMaps): void {
  const place = placeOf(options);
  kept.delete(place);
  if (digest === undefined) return;
  if (kept.size >= LIMIT) kept.clear();
  kept.set(place, { digest, bundle, maps });
}

function placeOf({ root, folder, key }: BundleOptions): string {
  return [root, folder, key].join("\0");
}

/** @returns undefined when it can't be told whether two bundles are the same */
export function digestOf(plan: SlicePlan, options: BundleOptions): string | undefined {
  const { host } = options;
  const tsconfig = host.tsconfig === undefined ? "" : textOf(host.tsconfig);
  // What it extends is esbuild's business.
  if (tsconfig === undefined || tsconfig.includes('"extends"')) return undefined;
  const hash = createHash("sha256");
  const add = (value: unknown): void => void hash.update(JSON.stringify(value) ?? "").update("\0");
  add([
    options.version,
    esbuild.version,
    options.packages,
    options.external,
    options.dynamicProjectImports,
    options.defaultFormat,
    host,
    tsconfig,
  ]);
  const files = new Set<string>();
  for (const [id, module] of plan.modules) {
    files.add(module.file);
    add([id, module.file, module.contents, module.loader, formatOf(options, module.file)]);
  }
  for (const [question, answer] of options.resolutions) {
    if (answer.kind !== "external" && files.has(question.split("\0")[1])) add([question, answer]);
  }
  add(plan.entries);
  add([...plan.classes]);
  return hash.digest("hex");
}

function textOf(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
