/** Many small packages in one folder, built by one `tspc -b` and run in one process a backend: a compiler start costs more than what is tested. */
import { threaded, type BackendName } from "../../support/backends";
import { runNode } from "../../support/children";
import { COMPILER_OPTIONS, tspc, type Workspace } from "../../adapters/support/workspace";

export const folderOf = (title: string): string => title.replace(/\W+/g, "-").toLowerCase();

/** @param files by name relative to the package; `tsconfig.json` is written for it */
export function writePackage(
  workspace: Workspace,
  title: string,
  options: object,
  files: Record<string, string | object>,
  type: "module" | "commonjs" = "commonjs",
): void {
  const folder = folderOf(title);
  const all = {
    "package.json": { name: folder, version: "1.0.0", type },
    "tsconfig.json": { compilerOptions: { ...COMPILER_OPTIONS, ...options }, include: ["src"] },
    ...files,
  };
  for (const [file, contents] of Object.entries(all))
    workspace.write(`${folder}/${file}`, typeof contents === "string" ? contents : JSON.stringify(contents, null, 2));
}

/** @throws with what the compiler says, unless it says nothing */
export async function buildAll(workspace: Workspace, titles: readonly string[]): Promise<void> {
  const built = await tspc(workspace, "-b", ...titles.map(folderOf));
  if (built.code !== 0 || built.stdout !== "" || built.stderr !== "") throw new Error(built.stdout + built.stderr);
}

export type Results = Record<string, Partial<Record<BackendName, unknown>>>;

/**
 * Imports programs one after the other and gives what each exports as `results`, a promise.
 * @param outputs by title, relative to the workspace
 */
export async function runAll(
  workspace: Workspace,
  outputs: Record<string, string>,
  backends: readonly BackendName[] = threaded,
): Promise<Results> {
  workspace.write(
    "run-all.mjs",
    `for (const [title, file] of Object.entries(${JSON.stringify(outputs)})) {
  try {
    const loaded = await import("./" + file);
    console.log(JSON.stringify([title, await (loaded.results ?? loaded.default.results)]));
  } catch (error) {
    console.log(JSON.stringify([title, error.stack]));
  }
}
`,
  );
  const results: Results = {};
  for (const backend of backends) {
    const ended = await runNode(workspace.file("run-all.mjs"), [], {
      env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2" },
      limit: 120_000,
    });
    if (ended.code !== 0 || ended.stderr !== "") throw new Error(ended.stdout + ended.stderr);
    for (const line of ended.stdout.trim().split("\n")) {
      const [title, value] = JSON.parse(line) as [string, unknown];
      results[title] = { ...results[title], [backend]: value };
    }
  }
  return results;
}

/** The same from every backend. */
export const onEach = (value: unknown, backends: readonly BackendName[] = threaded): unknown =>
  Object.fromEntries(backends.map((backend) => [backend, value]));
