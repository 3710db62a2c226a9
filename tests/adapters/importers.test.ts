/** Which files may import a given one, by what their imports are called. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { Importers } from "../../dist/transformer/src/adapters/importers";

test("files that import it by its name, its folder's, its package's, or an alias", () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "makeparallel-importers-"));
  try {
    const file = path.join(root, "lib", "src", "shapes", "index.ts");
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(path.join(root, "lib", "package.json"), JSON.stringify({ name: "@acme/lib" }));
    const importing = {
      folder: `import { Shape } from "./shapes";`,
      index: `export * from "../lib/src/shapes/index.js";`,
      package: `import { Shape } from "@acme/lib";`,
      subpath: `const { Shape } = require("@acme/lib/shapes");`,
      alias: `import { Shape } from '#shapes';`,
      other: `import { Shape } from "@acme/other";`,
    };
    const importers = new Importers(() => Object.entries(importing).map(([name, text]) => ({ file: name, text })));
    expect(importers.of(file)).toEqual(["alias", "folder", "index", "package", "subpath"]);
  } finally {
    fs.rmSync(root, { recursive: true });
  }
});
