/**
 * JSX in tasks: what the tags call is named by pragmas, compiler options or custom, never by the code, and has to come along all the same.
 */
import { runNode } from "../support/children";
import { makeWorkspace } from "../adapters/support/workspace";
import { buildAll, folderOf, type Results, runAll, writePackage } from "./support/solution";

/** A package that makes text of JSX, in both of JSX's ways. */
const TINY_JSX = {
  "node_modules/tiny-jsx/package.json": {
    name: "tiny-jsx",
    version: "1.0.0",
    types: "./index.d.ts",
    exports: {
      ".": { types: "./index.d.ts", default: "./index.js" },
      "./jsx-runtime": { types: "./jsx-runtime.d.ts", default: "./jsx-runtime.js" },
    },
  },
  "node_modules/tiny-jsx/index.js": `
const text = (children) => [children].flat(Infinity).join("");
exports.Fragment = ({ children }) => text(children);
exports.createElement = (tag, props, ...children) => exports.jsx(tag, { ...props, children });
exports.jsx = exports.jsxs = (tag, { children, ...props }) => {
  if (typeof tag === "function") return tag({ ...props, children });
  const attributes = Object.entries(props).map(([name, value]) => " " + name + "=" + value).join("");
  return "<" + tag + attributes + ">" + text(children) + "</" + tag + ">";
};
`,
  "node_modules/tiny-jsx/index.d.ts": `
export declare function createElement(tag: unknown, props: object | null, ...children: unknown[]): string;
export declare function Fragment(props: { children?: unknown }): string;
export declare namespace createElement { namespace JSX { type Element = string; interface IntrinsicElements { [name: string]: object } interface ElementChildrenAttribute { children: object } } }
export import JSX = createElement.JSX;
`,
  "node_modules/tiny-jsx/jsx-runtime.js": `module.exports = require("./index.js");\n`,
  "node_modules/tiny-jsx/jsx-runtime.d.ts": `export { JSX } from "tiny-jsx";\nexport declare function jsx(...args: unknown[]): string;\nexport declare const jsxs: typeof jsx;\nexport { Fragment } from "tiny-jsx";\n`,
};

/** @param head what the file begins with: imports of what the tags call */
const program = (head: string): string => `${head}
import { parallel } from "makeparallel";
import { Item } from "./item.js";

const list = parallel((words: string[]) => <ul>{words.map((word) => <Item word={word} />)}</ul>);
const only = parallel((word: string) => <>{word}!</>);
const place = { part: Item };
const member = parallel((word: string) => <place.part word={word} />);
export const results = Promise.all([list(["a", "b"]), only("c"), member("d")]).then((all) => all.join(" "));
`;
const item = (head: string): string => `${head}
export const Item = ({ word }: { word: string }): JSX.Element => <li class="x">{word}</li>;
`;
const PRINTED = "<ul><li class=x>a</li><li class=x>b</li></ul> c! <li class=x>d</li>";

interface Way {
  compilerOptions: object;
  head: string;
}

const ways: Record<string, Way> = {
  "jsx: react, a namespace": {
    compilerOptions: { jsx: "react" },
    head: `import * as React from "tiny-jsx";`,
  },
  "jsx: react, jsxFactory and jsxFragmentFactory": {
    compilerOptions: { jsx: "react", jsxFactory: "createElement", jsxFragmentFactory: "Fragment" },
    head: `import { createElement, Fragment } from "tiny-jsx";`,
  },
  "jsx: react, factories of a namespace": {
    compilerOptions: { jsx: "react", jsxFactory: "dom.createElement", jsxFragmentFactory: "dom.Fragment" },
    head: `import * as dom from "tiny-jsx";`,
  },
  "jsx: react, pragmas in the file": {
    compilerOptions: { jsx: "react" },
    head: `/** @jsx createElement */\n/** @jsxFrag Fragment */\nimport { createElement, Fragment } from "tiny-jsx";`,
  },
  "jsx: react-jsx": {
    compilerOptions: { jsx: "react-jsx", jsxImportSource: "tiny-jsx" },
    head: "",
  },
  "jsx: react-jsx, named in the file": {
    compilerOptions: { jsx: "react-jsx" },
    head: `/** @jsxImportSource tiny-jsx */`,
  },
};

describe("JSX in tasks", () => {
  const titles = Object.keys(ways);
  let compiled: Results;
  let bundled: Results;

  beforeAll(async () => {
    const workspace = makeWorkspace("hosts-jsx", { "package.json": { name: "jsx", private: true }, ...TINY_JSX });
    for (const [title, { compilerOptions, head }] of Object.entries(ways)) {
      const files = { "src/main.tsx": program(head), "src/item.tsx": item(`${head}\nimport type { JSX } from "tiny-jsx";`) };
      writePackage(workspace, title, { module: "NodeNext", ...compilerOptions }, files, "module");
    }
    await buildAll(workspace, titles);
    workspace.write(
      "bundle.mjs",
      `import * as esbuild from "esbuild";
import makeparallel from "makeparallel/esbuild";
for (const folder of ${JSON.stringify(titles.map(folderOf))}) {
  await esbuild.build({
    absWorkingDir: import.meta.dirname + "/" + folder, entryPoints: ["src/main.tsx"], bundle: true, packages: "external",
    platform: "node", format: "esm", outfile: "out/main.mjs", logLevel: "warning", plugins: [makeparallel()],
  });
}
`,
    );
    const built = await runNode(workspace.file("bundle.mjs"), [], { limit: 120_000 });
    if (built.code !== 0 || built.stderr !== "") throw new Error(built.stderr);
    const outputs = (file: string): Record<string, string> =>
      Object.fromEntries(titles.map((title) => [title, `${folderOf(title)}/${file}`]));
    compiled = await runAll(workspace, outputs("dist/main.js"), ["typescript"]);
    bundled = await runAll(workspace, outputs("out/main.mjs"), ["typescript"]);
  }, 240_000);

  test.each(titles)("%s", (title) => {
    expect(compiled[title]).toEqual({ typescript: PRINTED });
    expect(bundled[title]).toEqual({ typescript: PRINTED });
  });
});
