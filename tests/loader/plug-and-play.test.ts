/** Packages of tasks in a project that Yarn's Plug'n'Play resolves: there is no `node_modules`, and its interface says where they are. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { runNode } from "../support/children";
import { ROOT } from "../support/chunks";

const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "makeparallel-pnp-")));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string): void => {
  fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  fs.writeFileSync(path.join(folder, name), text);
};

write("cache/dates/package.json", JSON.stringify({ name: "dates", exports: { ".": { import: "./index.mjs" }, "./add": "./add.mjs" } }));
write("cache/dates/index.mjs", "export default 1;");
write("cache/dates/add.mjs", "export default 2;");
write("project/package.json", "{}");

/** Stands in for `.pnp.cjs`, which Node loads first in every thread. */
write(
  "pnp.cjs",
  `const Module = require("node:module");
  process.versions.pnp = "3";
  Module.findPnpApi = (place) =>
    place.startsWith(${JSON.stringify(path.join(folder, "project"))})
      ? {
          resolveToUnqualified(name) {
            if (name === "dates") return ${JSON.stringify(path.join(folder, "cache", "dates") + path.sep)};
            throw new Error("Your application tried to access " + name + ", but it isn't declared.\\nMore about it.");
          },
        }
      : null;`,
);
write(
  "main.cjs",
  `const { resolveImport } = require(${JSON.stringify(path.join(ROOT, "dist/runtime-ts/src/loader/resolve-import.js"))});
  const from = ${JSON.stringify(path.join(folder, "project", "dist"))};
  const ask = (name, at = from) => { try { return resolveImport(name, at); } catch (error) { return error.code + " " + error.message; } };
  console.log(JSON.stringify([ask("dates"), ask("dates/add"), ask("dates/none"), ask("others"), ask("typescript", ${JSON.stringify(ROOT)})]));`,
);

test("they are found, with their exports, and a missing one is told as Plug'n'Play tells it; other folders are as ever", async () => {
  const run = await runNode(path.join(folder, "main.cjs"), [], { execArgv: ["--require", path.join(folder, "pnp.cjs")] });
  expect(run.stderr).toBe("");
  const [main, sub, none, others, elsewhere] = JSON.parse(run.stdout) as string[];
  expect(main).toMatch(/^file:.*\/cache\/dates\/index\.mjs$/);
  expect(sub).toMatch(/\/cache\/dates\/add\.mjs$/);
  expect(none).toMatch(/^ERR_PACKAGE_PATH_NOT_EXPORTED /);
  expect(others).toBe("ERR_MODULE_NOT_FOUND Your application tried to access others, but it isn't declared.");
  expect(elsewhere).toMatch(/\/node_modules\/typescript\//);
});
