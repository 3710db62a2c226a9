/** JavaScript in a TypeScript build: `allowJs` and `checkJs`, marks included. */
import { onEach, buildAll, folderOf, type Results, runAll, writePackage } from "./support/solution";
import { makeWorkspace } from "../adapters/support/workspace";

const main = (extension: string): string => `import { AsyncHandle, parallel } from "makeparallel";
import { factor, Point } from "./factor.${extension}";

/** @param {number} n */
const times = (n) => n * factor();
export const scale = parallel(times);
export const shift = parallel(
  /** @param {Point} point @param {number} by */
  (point, by) => new Point(point.x + by),
);

/**
 * @parallel
 * @param {string} text
 * @returns {Promise<string>}
 */
export async function shout(text) {
  return text.toUpperCase();
}

/**
 * @parallel
 * @param {number} n
 * @returns {AsyncHandle<number>}
 */
export function half(n) {
  return AsyncHandle.of(n / 2);
}

async function all() {
  const shifted = await shift(new Point(1), 2);
  return [await scale(2), await shout("a"), await half(3), shifted instanceof Point, shifted.x];
}
export const results = all();
`;
const factor = `export const factor = () => 10;

export class Point {
  #x;
  /** @param {number} x */
  constructor(x) {
    this.#x = x;
  }
  get x() {
    return this.#x;
  }
}
`;
const typed = `export { results } from "./tasks.js";\n`;

const variants: Record<string, { options: object; type: "module" | "commonjs"; files: Record<string, string>; output?: string }> = {
  "allowJs, ES modules": {
    options: { allowJs: true },
    type: "module",
    files: { "src/main.js": main("js"), "src/factor.js": factor },
  },
  "allowJs, CommonJS output": {
    options: { allowJs: true, esModuleInterop: true },
    type: "commonjs",
    files: { "src/main.js": main("js"), "src/factor.js": factor },
  },
  "checkJs, .mjs": {
    options: { allowJs: true, checkJs: true, module: "NodeNext", moduleResolution: "NodeNext" },
    type: "commonjs",
    files: { "src/main.mjs": main("mjs"), "src/factor.mjs": factor },
    output: "dist/main.mjs",
  },
  "checkJs, with declarations, beside TypeScript": {
    options: { allowJs: true, checkJs: true, declaration: true },
    type: "module",
    files: { "src/main.ts": typed, "src/tasks.js": main("js"), "src/factor.js": factor },
  },
};

describe("JavaScript", () => {
  let printed: Results;

  beforeAll(async () => {
    const workspace = makeWorkspace("hosts-javascript", { "package.json": { name: "javascript", private: true } });
    const outputs: Record<string, string> = {};
    for (const [title, { options, type, files, output = "dist/main.js" }] of Object.entries(variants)) {
      writePackage(workspace, title, options, files, type);
      outputs[title] = `${folderOf(title)}/${output}`;
    }
    await buildAll(workspace, Object.keys(variants));
    printed = await runAll(workspace, outputs);
  }, 240_000);

  test.each(Object.keys(variants))("%s", (title) => {
    expect(printed[title]).toEqual(onEach([20, "A", 1.5, true, 3]));
  });
});
