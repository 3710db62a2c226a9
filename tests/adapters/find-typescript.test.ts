/** Which compiler is used outside of ts-patch. */
import * as fs from "node:fs";
import * as path from "node:path";
import { ROOT } from "../support/chunks";
import { runNode } from "../support/children";
import { makeWorkspace, type Workspace } from "./support/workspace";

const MODULE = path.join(ROOT, "dist/transformer/src/adapters/find-typescript.js");

/** @param hide what can't be required from outside of the workspace */
async function find(workspace: Workspace, hide?: RegExp): Promise<string> {
  workspace.write(
    "find.cjs",
    `${hide ? `const Module = require("node:module"); const resolve = Module._resolveFilename; Module._resolveFilename = function (request, parent, ...rest) { if (${hide}.test(request) && !parent.filename.startsWith(__dirname)) throw Object.assign(new Error("hidden"), { code: "MODULE_NOT_FOUND" }); return resolve.call(this, request, parent, ...rest); };` : ""}
const { findTypeScript } = require(${JSON.stringify(MODULE)});
try { console.log(findTypeScript(__dirname).version); } catch (error) { console.log(error.message); }`,
  );
  return (await runNode(workspace.file("find.cjs"))).stdout.trim();
}

const withTypeScript = (name: string, version: string, api: string, packageName = "typescript"): Workspace => {
  const workspace = makeWorkspace(`find-${name}`, { "package.json": { name: "project" } });
  fs.rmSync(workspace.file("node_modules/typescript"), { recursive: true });
  workspace.write(`node_modules/${packageName}/package.json`, JSON.stringify({ name: packageName, main: "index.js" }));
  workspace.write(`node_modules/${packageName}/index.js`, `module.exports = { version: "${version}", ${api} };`);
  return workspace;
};
const API = "createSourceFile() {}, transpileModule() {}";

test("the project's own, if it has the compiler API", async () => {
  expect(await find(withTypeScript("own", "5.4.0", API))).toBe("5.4.0");
});

test("a version without the API is passed over for the one that is installed beside it", async () => {
  const workspace = withTypeScript("beside", "6.0.0", API, "@typescript/typescript6");
  workspace.write("node_modules/typescript/package.json", JSON.stringify({ name: "typescript", main: "index.js" }));
  workspace.write("node_modules/typescript/index.js", `module.exports = { version: "7.0.0" };`);
  expect(await find(workspace)).toBe("6.0.0");
});

test("without any, the error says what is there and what to install", async () => {
  const message = await find(withTypeScript("none", "7.0.0", ""), /typescript/);
  expect(message).toContain("typescript 7.0.0");
  expect(message).toContain("npm install --save-dev");
});

test("with TypeScript 7 alone, makeparallel's own copy, which has the whole API", async () => {
  const workspace = withTypeScript("seven", "7.0.2", "");
  workspace.write(
    "own-copy.cjs",
    `const ts = require(${JSON.stringify(path.join(ROOT, "dist/vendor/typescript.js"))});
const { outputText } = ts.transpileModule("export const a = (b: number): number => b;", { compilerOptions: { target: "ES2022" } });
console.log(outputText.trim());`,
  );
  expect((await runNode(workspace.file("own-copy.cjs"))).stdout.trim()).toBe("export const a = (b) => b;");
  const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, "node_modules/typescript/package.json"), "utf8")) as { version: string };
  expect(await find(workspace, /^@?typescript(\/|$)/)).toBe(version);
});
