/** The search for marks before a build by esbuild: the native one and the one in JavaScript find the same. */
import * as fs from "node:fs";
import * as path from "node:path";
import { loadBinding } from "../../dist/runtime-ts/src/pool/native-binding";
import { SourceScan } from "../../dist/transformer/src/adapters/source-scan";
import { type FoundSources, searchSources } from "../../dist/transformer/src/adapters/source-search";
import { hasNative } from "../support/backends";
import { makeWorkspace, type Workspace } from "./support/workspace";

const marked = `import { parallel } from "makeparallel";\n`;
/** Longer than what is read at once. */
const long = " ".repeat(300_000);

function project(name: string): Workspace {
  const workspace = makeWorkspace(`search-${name}`, {
    "package.json": { name: "searched" },
    "src/a.ts": marked,
    "src/b.tsx": "/** @parallel */ class B {}",
    "src/c.mts": "class C {}",
    "src/d.cts": "in parallel",
    "src/e.js": `"makeparallel/esbuild"; "makeparallel "`,
    "src/f.mjs": "",
    "src/g.d.ts": "'makeparallel'",
    "src/h.json": `{ "@parallel": 1 }`,
    "src/i.ts.map": "@parallel",
    "src/j.txt": "@parallel",
    "src/TS": "@parallel",
    "src/long.ts": `${long}@parallel`,
    "src/long-class.ts": `${long}class Long {}`,
    "src/wide.ts": "// ぱられる 👪 @parallel",
    "src/ünï/ß.ts": marked,
    // Sources may be in a folder of that name, but beside a package.json it is an output.
    "src/out/in.ts": marked,
    "dist/bundle.js": marked,
    "packages/one/package.json": { name: "one" },
    "packages/one/build/made.js": marked,
    "packages/one/.hidden/in.ts": marked,
    "packages/one/written/in.js": marked,
    "packages/one/src/in.ts": marked,
    "packages/one/node_modules/installed/index.js": marked,
    "node_modules/installed/index.js": marked,
    "empty/note.txt": "",
  });
  fs.symlinkSync(workspace.file("src"), workspace.file("linked"), "junction");
  // Neither a file nor a folder that anything could be read from.
  fs.symlinkSync(workspace.file("nowhere.ts"), workspace.file("src/dangling.ts"), "file");
  return workspace;
}

const inside = (workspace: Workspace, files: Iterable<string>): string[] =>
  [...files].map((file) => path.relative(workspace.root, file).split(path.sep).join("/")).sort();

const summary = (workspace: Workspace, found: FoundSources): object => ({
  files: inside(workspace, found.files),
  marked: inside(workspace, found.marked),
  withClasses: inside(workspace, found.withClasses),
  skipped: inside(workspace, found.skipped),
  folders: inside(workspace, found.folders.keys()),
});

test("sources, marks and classes are found; packages, outputs and what is hidden are left out", () => {
  const workspace = project("javascript");
  const found = searchSources(workspace.root, workspace.file("packages/one/written"), 100) as FoundSources;
  const { files, ...others } = summary(workspace, found) as Record<string, string[]>;
  expect(files).toHaveLength(13);
  expect(others).toEqual({
    marked: [
      "packages/one/src/in.ts",
      ...["a.ts", "b.tsx", "g.d.ts", "long.ts", "out/in.ts", "wide.ts", "ünï/ß.ts"].map((file) => `src/${file}`),
    ],
    withClasses: ["src/b.tsx", "src/c.mts", "src/long-class.ts"],
    skipped: ["dist", "packages/one/.hidden", "packages/one/build", "packages/one/written"],
    folders: ["", "empty", "packages", "packages/one", "packages/one/src", "src", "src/out", "src/ünï"],
  });
  expect(searchSources(workspace.root, "", found.files.length + 2)).toBeDefined();
  expect(searchSources(workspace.root, "", found.files.length)).toBeUndefined();
});

(hasNative ? describe : describe.skip)("the native addon", () => {
  test("finds the same", () => {
    const workspace = project("native");
    const output = workspace.file("packages/one/written");
    const expected = searchSources(workspace.root, output, 100) as FoundSources;
    const native = loadBinding().searchSources(workspace.root, output, 100);
    if (!native) throw new Error("It found too many files.");
    const folders = native.folders.split("\0");
    const found = {
      ...native,
      files: native.files.split("\0"),
      folders: new Map(folders.map((folder, index) => [folder, native.times[index]])),
    };
    expect(summary(workspace, found)).toEqual(summary(workspace, expected));
    for (const [folder, time] of found.folders) expect(time).toBe(expected.folders.get(folder));
    expect(loadBinding().searchSources(workspace.root, output, expected.files.length)).not.toBeNull();
    expect(loadBinding().searchSources(workspace.root, output, expected.files.length - 1)).toBeNull();
  });

  test("finds the same in this repository", () => {
    const root = path.resolve(__dirname, "../..");
    const folder = path.join(root, "transformer");
    const expected = searchSources(folder, "", 5000) as FoundSources;
    const native = loadBinding().searchSources(folder, "", 5000);
    expect(expected.files.length).toBeGreaterThan(100);
    expect(native?.files.split("\0").sort()).toEqual([...expected.files].sort());
    expect([...(native?.marked ?? [])].sort()).toEqual([...expected.marked].sort());
    expect([...(native?.withClasses ?? [])].sort()).toEqual([...expected.withClasses].sort());
  });

  test("has nothing to say of a folder that is not there", () => {
    const nowhere = path.join(__dirname, "nowhere");
    expect(loadBinding().searchSources(nowhere, "", 1)).toMatchObject({ files: "", marked: [], folders: nowhere });
    expect(searchSources(nowhere, "", 1)).toMatchObject({ files: [], marked: [] });
  });
});

test("what came into the folders since is looked through, but not what the build writes", () => {
  const workspace = project("later");
  const scan = SourceScan.of(workspace.root, workspace.file("packages/one/written")) as SourceScan;
  expect(scan.newlyMarked()).toEqual([]);
  workspace.write("src/late.ts", marked);
  workspace.write("src/new/folder/late.ts", marked);
  workspace.write("src/unmarked.ts", "");
  workspace.write("packages/one/written/late.js", marked);
  expect(inside(workspace, scan.newlyMarked())).toEqual(["src/late.ts", "src/new/folder/late.ts"]);
});
