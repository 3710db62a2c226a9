/** Imports that the plugin answers itself: wherever it does, esbuild says the same. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as esbuild from "esbuild";
import { PlainImports } from "../../dist/transformer/src/adapters/plain-imports";

let root: string;
beforeAll(() => {
  root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "makeparallel-plain-imports-")));
});
afterAll(() => fs.rmSync(root, { recursive: true }));

function write(file: string): void {
  fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  fs.writeFileSync(path.join(root, file), "export {};\n");
}

const NAMES = [
  "a",
  "a.ts",
  "a.tsx",
  "a.mts",
  "a.cts",
  "a.js",
  "a.jsx",
  "a.mjs",
  "a.cjs",
  "a.json",
  "a.css",
  "a.js.ts",
  "a.d.ts",
  "a.test.ts",
  "a/index.ts",
];
const SPECIFIERS = [
  ...[
    "./a",
    "./a.js",
    "./a.jsx",
    "./a.mjs",
    "./a.cjs",
    "./a.ts",
    "./a.tsx",
    "./a.mts",
    "./a.json",
    "./a.d.ts",
    "./a.test",
    "./a.test.js",
    "./a/",
    "./a/index",
  ],
  ...["./a/index.js", "./a/../a.js", ".//a.js", "./missing.js", "./a.js?x", "./a.js#x", "./A.js", "a.js", "../0/a.js"],
];

/** Each set of one or two of the names. */
function* layouts(): Generator<string[]> {
  for (const [i, first] of NAMES.entries()) {
    yield [first];
    for (const [j, second] of NAMES.entries()) {
      if (j <= i) continue;
      yield [first, second];
    }
  }
}

/** What esbuild makes of each import. */
async function answers(
  questions: readonly { from: string; specifier: string }[],
  options: esbuild.BuildOptions = {},
): Promise<{ plain: (string | undefined)[]; found: (string | undefined)[] }> {
  const plain: (string | undefined)[] = [];
  const found: (string | undefined)[] = [];
  const plugin: esbuild.Plugin = {
    name: "asks",
    setup(build) {
      const imports = PlainImports.of(build.initialOptions);
      build.onStart(async () => {
        for (const { from, specifier } of questions) {
          plain.push(imports?.find(specifier, from));
          const result = await build.resolve(specifier, {
            importer: from,
            kind: "import-statement",
            namespace: "file",
            resolveDir: path.dirname(from),
          });
          found.push(result.errors.length > 0 || result.external || result.namespace !== "file" ? undefined : result.path);
        }
      });
    },
  };
  await esbuild.build({ stdin: { contents: "" }, platform: "node", write: false, plugins: [plugin], logLevel: "silent", ...options });
  return { plain, found };
}

test("the answers are esbuild's, in every folder of one or two files", async () => {
  const questions: { from: string; specifier: string }[] = [];
  let folder = 0;
  for (const layout of layouts()) {
    // `a` can't be both a file and a folder.
    if (layout.includes("a") && layout.includes("a/index.ts")) continue;
    for (const name of layout) write(`${folder}/${name}`);
    for (const specifier of SPECIFIERS) questions.push({ from: path.join(root, String(folder), "main.ts"), specifier });
    folder++;
  }
  const { plain, found } = await answers(questions);
  const answered = questions
    .map((question, i) => ({ ...question, plain: plain[i], found: found[i] }))
    .filter((each) => each.plain !== undefined);
  expect(answered.filter((each) => each.plain !== each.found)).toEqual([]);
  expect(answered.length).toBeGreaterThan(300);
}, 60_000);

test("the usual imports need no question of esbuild", () => {
  write("plain/a.ts");
  write("plain/lib/b.mts");
  const imports = PlainImports.of({ platform: "node", packages: "external", external: ["left-pad"] });
  const find = (specifier: string): string | undefined => imports?.find(specifier, path.join(root, "plain/lib/main.ts"));
  expect(["../a.js", "../a", "../a.ts", "./b.mjs"].map(find)).toEqual([
    ...[1, 2, 3].map(() => path.join(root, "plain/a.ts")),
    path.join(root, "plain/lib/b.mts"),
  ]);
});

test("behind a symbolic link, or where a setting or a plugin may say otherwise, esbuild is asked", async () => {
  write("links/real/a.ts");
  fs.symlinkSync(path.join(root, "links/real"), path.join(root, "links/folder"));
  fs.symlinkSync(path.join(root, "links/real/a.ts"), path.join(root, "links/b.ts"));
  const from = path.join(root, "links/main.ts");
  const questions = ["./folder/a.js", "./b.js", "./real/a.js"].map((specifier) => ({ from, specifier }));
  const { plain, found } = await answers(questions);
  expect(plain).toEqual([undefined, undefined, path.join(root, "links/real/a.ts")]);
  expect(found).toEqual(questions.map(() => path.join(root, "links/real/a.ts")));

  const other: esbuild.Plugin = { name: "other", setup() {} };
  const options: esbuild.BuildOptions[] = [
    {},
    { platform: "browser" },
    { platform: "node", preserveSymlinks: true },
    { platform: "node", resolveExtensions: [".mjs"] },
    { platform: "node", mainFields: ["browser"] },
    { platform: "node", external: ["./real/a.js"] },
    { platform: "node", external: ["*.js"] },
    { platform: "node", external: [path.join(root, "links/real/a.ts")] },
    { platform: "node", plugins: [other, other] },
  ];
  expect(options.map((each) => PlainImports.of(each))).toEqual(options.map(() => undefined));
});
