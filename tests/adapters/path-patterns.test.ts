/** Patterns of paths mean the same to JavaScript and to esbuild, which is written in Go. */
import * as esbuild from "esbuild";
import { packageSegments, sourcesBut, sourcesIn, sourcesOutside } from "../../dist/transformer/src/adapters/path-patterns";

const below = (folder: string, file: string): boolean => file.startsWith(/[\\/]$/.test(folder) ? folder : `${folder}/`);
const inPackage = (file: string): boolean => file.split("/").slice(0, -1).includes("node_modules");

const folders = [
  "/work/app",
  "/work/three.js",
  "/work/x.tsx",
  "/w+rk (1)/a.b[c]^-d",
  "/ünï/ぱられる",
  "/n",
  "/work/node",
  "/",
  "/work/👪",
  `/${"deep/".repeat(200)}end`,
];

/** Paths around a folder: within it, beside it under names that are nearly the same, above it, elsewhere. */
function pathsAround(folder: string): string[] {
  const base = folder === "/" ? "" : folder;
  const ancestors = base.split("/").map((_, index, names) => names.slice(0, index + 1).join("/"));
  const places = [
    ...ancestors,
    ...ancestors.slice(1).flatMap((each) => [`${each}x`, [...each].slice(0, -1).join(""), `${each}.old`]),
    "/elsewhere",
    "/work",
    "/wor",
  ];
  const names = [
    "a.ts",
    "b/c.mjs",
    "node_modules/p/index.js",
    "b/node_modules/p.js",
    "node_modules2/a.ts",
    ".ts",
    "a.json",
    "xnode_modules/d.tsx",
    "a.test.cts",
  ];
  return [
    ...new Set([
      ...places.flatMap((place) => names.map((name) => `${place}/${name}`)),
      "/work/three.ts",
      "/work/three.js.ts",
      "/work/three.j",
      "/work/x.ts",
      "/work/a.ts",
    ]),
  ];
}

/** The paths about which esbuild asks. */
async function asked(filter: RegExp, paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  await esbuild.build({
    stdin: { contents: paths.map((_, index) => `import "path:${index}";`).join("\n") },
    bundle: true,
    write: false,
    logLevel: "silent",
    plugins: [
      {
        name: "asked",
        setup(build) {
          build.onResolve({ filter: /^path:/ }, (args) => ({ path: paths[Number(args.path.slice(5))], namespace: "paths" }));
          build.onLoad({ filter, namespace: "paths" }, (args) => {
            found.push(args.path);
            return { contents: "" };
          });
          build.onLoad({ filter: /.*/, namespace: "paths" }, () => ({ contents: "" }));
        },
      },
    ],
  });
  return found.sort();
}

test.each(folders)("sources outside of %s", async (folder) => {
  const paths = pathsAround(folder);
  const filter = sourcesOutside(folder, packageSegments);
  const matching = paths.filter((file) => filter.test(file));
  expect(await asked(filter, paths)).toEqual([...matching].sort());
  const wanted = paths.filter((file) => sourcesBut(packageSegments).test(file) && !below(folder, file));
  expect(wanted.filter((file) => !matching.includes(file))).toEqual([]);
  if (!folder.includes("👪") && folder.length < 400) expect(matching.filter((file) => below(folder, file))).toEqual([]);
  // Nor, as a rule, about packages beside it.
  expect(matching).not.toContain("/elsewhere/node_modules/p/index.js");
});

test("sources but those of packages, anywhere and below some folders", async () => {
  const paths = pathsAround("/work/three.js");
  const everywhere = sourcesBut(packageSegments);
  const expected = paths.filter((file) => /\.[cm]?[jt]sx?$/.test(file) && !inPackage(file)).sort();
  expect(paths.filter((file) => everywhere.test(file)).sort()).toEqual(expected);
  expect(await asked(everywhere, paths)).toEqual(expected);
  const some = sourcesIn(["/work/three.js", "/elsewhere"], packageSegments);
  const there = expected.filter((file) => below("/work/three.js", file) || below("/elsewhere", file));
  expect(await asked(some, paths)).toEqual(there);
});
