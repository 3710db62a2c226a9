/** Version of this package, for manifests. */
import * as fs from "node:fs";
import * as path from "node:path";

let version: string | undefined;

export function packageVersion(): string {
  return (version ??= find());
}

function find(): string {
  for (let folder = __dirname; ; folder = path.dirname(folder)) {
    const file = path.join(folder, "package.json");
    if (fs.existsSync(file)) {
      const json = JSON.parse(fs.readFileSync(file, "utf8")) as { name?: string; version?: string };
      if (json.name === "makeparallel" && json.version !== undefined) return json.version;
    }
    if (folder === path.dirname(folder)) throw new Error("makeparallel: its own package.json is missing; install the package again.");
  }
}
