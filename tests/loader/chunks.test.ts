/** Chunks as files: names, bytes, maps, faults. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { runNode } from "../support/children";
import { listFiles } from "../adapters/support/workspace";
import { makeScenario, runScenario, type Scenario } from "./support/scenario";

const shared: Omit<Scenario, "run"> = {
  files: {
    "src/a.ts": `import { helper } from "./util.js";
export function first(n: number): number {
  const twice = (x: number): number => x * 2;
  if (n < 0) {
    throw new RangeError("negative");
  }
  return helper(twice(n));
}
`,
    "src/b.ts": `import { helper } from "./util.js";
class Local { static one = new Local(); helper = () => helper(1); }
export function second(): unknown { return [Local.name, Local.one.helper.name, helper.name, Local.one.helper()]; }
`,
    "src/util.ts": `export const helper = (n: number): number => n + 1;\n`,
  },
  tasks: ["src/a.ts#first", "src/b.ts#second"],
};

test("code that several tasks use is in one chunk that they share", async () => {
  const result = (await runScenario("shared", {
    ...shared,
    run: `return { first: (await load("src/a.ts#first"))(4), second: (await load("src/b.ts#second"))(), manifest };`,
  })) as {
    first: number;
    second: unknown;
    manifest: { tasks: Record<string, { chunk: string }>; chunks: Record<string, { imports: string[] }> };
  };
  expect(result.first).toBe(9);
  expect(result.second).toEqual(["Local", "helper", "helper", 2]);
  const { tasks, chunks } = result.manifest;
  const [first, second] = [tasks["src/a.ts#first"].chunk, tasks["src/b.ts#second"].chunk];
  expect(first).toMatch(/^first-[A-Z0-9]{8}\.cjs$/);
  expect(chunks[first].imports).toEqual(chunks[second].imports);
  expect(chunks[first].imports).toHaveLength(1);
});

test("the same sources give the same bytes in another folder and in another order", async () => {
  const outputs = [];
  for (const [name, at, tasks] of [
    ["bytes-1", undefined, shared.tasks],
    ["bytes-2", fs.mkdtempSync(path.join(os.tmpdir(), "makeparallel-bytes-")), [...shared.tasks].reverse()],
  ] as const) {
    const workspace = makeScenario(name, { ...shared, tasks: [...tasks], run: "" }, at);
    const run = await runNode(workspace.file("scenario.cjs"), [], { cwd: workspace.root });
    expect(run.stderr).toBe("");
    outputs.push(listFiles(workspace, "dist/parallel-chunks").map((file) => [file, workspace.read(`dist/parallel-chunks/${file}`)]));
    if (at) fs.rmSync(at, { recursive: true });
  }
  expect(outputs[0].length).toBeGreaterThan(5);
  expect(outputs[1]).toEqual(outputs[0]);
});

test("stacks show source positions, as text and through Error.prepareStackTrace of the program", async () => {
  const result = await runScenario("stacks", {
    ...shared,
    run: `
      const fn = await load("src/a.ts#first");
      const caught = (setup) => { setup(); try { fn(-1); } catch (error) { return error.stack; } };
      const raw = caught(() => {});
      const relative = (stack) => stack.split("\\n").slice(0, 2).join("|").replaceAll(root + path.sep, "");
      const byText = relative(loaderModule.mapStack(raw));
      loaderModule.installStackMapping();
      loaderModule.installStackMapping();
      const installed = relative(caught(() => {}));
      const own = Error.prepareStackTrace;
      let seen;
      Error.prepareStackTrace = (error, sites) => { seen = sites.length > 0; return own(error, sites); };
      const chained = relative(caught(() => {}));
      return [/dist.parallel-chunks.shared|first-/.test(raw), byText, installed, chained, seen];
    `,
  });
  expect(result).toEqual([
    true,
    expect.stringMatching(/^RangeError: negative\| {4}at .*src\/a\.ts:5:11\)?$/),
    expect.stringMatching(/^RangeError: negative\| {4}at .*src\/a\.ts:5:11\)?$/),
    expect.stringMatching(/^RangeError: negative\| {4}at .*src\/a\.ts:5:11\)?$/),
    true,
  ]);
});

test("a function that prepared stacks before the mapping was installed stays in charge, with mapped call sites", async () => {
  const result = await runScenario("stacks-chained", {
    ...shared,
    run: `
      Error.prepareStackTrace = (error, sites) => "custom " + path.basename(sites[0].getFileName()) + ":" + sites[0].getLineNumber();
      loaderModule.installStackMapping();
      try { (await load("src/a.ts#first"))(-1); } catch (error) { return error.stack; }
    `,
  });
  expect(result).toBe("custom a.ts:5");
});

test("a function that maps positions by itself does not map those of chunks a second time", async () => {
  const result = await runScenario("stacks-mapped-once", {
    ...shared,
    run: `
      const text = (site) => site.getFileName().endsWith("a.ts") ? "mapped again" : site.getFileName() + ":" + site.getLineNumber() + ":" + site.getColumnNumber();
      Error.prepareStackTrace = (error, sites) => error + "\\n    at " + text(sites[0]);
      loaderModule.installStackMapping();
      try { (await load("src/a.ts#first"))(-1); } catch (error) { return error.stack.replaceAll(root + path.sep, ""); }
    `,
  });
  expect(result).toBe("RangeError: negative\n    at src/a.ts:5:11");
});

test("the output folder can be moved as a whole", async () => {
  const result = await runScenario("moved", {
    ...shared,
    run: `
      fs.cpSync(path.join(root, "dist"), path.join(root, "elsewhere", "app"), { recursive: true });
      fs.rmSync(path.join(root, "dist"), { recursive: true });
      const found = loaderModule.findManifest("file://" + path.join(root, "elsewhere/app/deep/er/main.js"), "test");
      return [path.relative(root, found), (await newLoader().loadTask(found, "src/a.ts#first")).fn(1)];
    `,
  });
  expect(result).toEqual(["elsewhere/app/parallel-chunks/test.json", 3]);
});

test("what is wrong with chunks on disk is said in a ChunkError", async () => {
  const result = await runScenario("faults", {
    ...shared,
    run: `
      const chunk = path.join(folder, manifest.tasks["src/a.ts#first"].chunk);
      const original = fs.readFileSync(chunk);
      const originalManifest = fs.readFileSync(manifestFile, "utf8");
      const attempt = (id = "src/a.ts#first") => { try { const loaded = newLoader().loadTask(manifestFile, id); return loaded.fn(1); } catch (error) { return [error.code, error.message.split(/[.:] /)[0].replaceAll(root + path.sep, "").replace(/-[A-Z0-9]{8}/, "")]; } };
      const results = [];
      fs.writeFileSync(chunk, original + "// changed");
      results.push(attempt());
      fs.rmSync(chunk);
      results.push(attempt());
      fs.writeFileSync(chunk, original);
      results.push(attempt(), attempt("src/a.ts#none"));
      fs.writeFileSync(manifestFile, originalManifest.replace('"format": 1', '"format": 2'));
      try { loaderModule.refreshManifest(manifestFile); } catch (error) { results.push([error.code, /1\\.2\\.3 in format 2/.test(error.message)]); }
      try { loaderModule.findManifest(path.join(root, "dist", "x.js"), "other"); } catch (error) { results.push([error.code, error.message.includes("parallel-chunks/other.json")]); }
      return results;
    `,
  });
  expect(result).toEqual([
    ["MP_CHUNK", expect.stringContaining("first.cjs is not the one that the build wrote")],
    ["MP_CHUNK", "The chunk dist/parallel-chunks/first.cjs cannot be read"],
    3,
    ["MP_CHUNK", expect.stringContaining("knows no task src/a.ts#none")],
    ["MP_CHUNK", true],
    ["MP_CHUNK", true],
  ]);
});

test("an error of the code itself while it is loaded is the cause of the ChunkError", async () => {
  const result = await runScenario("throws", {
    files: {
      "src/a.ts": `const table = build();\nfunction build(): number[] { throw new TypeError("no table"); }\nexport function task() { return table; }`,
    },
    tasks: ["src/a.ts#task"],
    run: `return load("src/a.ts#task").catch((error) => [error.code, error.message.includes("no table"), error.cause instanceof TypeError]);`,
  });
  expect(result).toEqual(["MP_CHUNK", true, true]);
});

test("a name that one slice imports and another one lacks fails the build, at the place of the import", async () => {
  const result = await runScenario("lost", {
    files: {
      "src/a.ts": `/* é */ import { help } from "./help.js"; export function task() { return help(); }`,
      "src/help.ts": `export function help() { return 1; }`,
    },
    tasks: ["src/a.ts#task"],
    run: `
      const results = [];
      // With an export esbuild itself fails, without any it only warns.
      for (const text of ["export const other = 1;", "const other = 1;"]) {
        fs.writeFileSync(path.join(root, "src/help.ts"), text);
        const describe = ({ text, location }) => [text.replace(/ (?:in|because) .*/, ""), location.file, location.line, location.column];
        results.push(await bundle().then(() => "built", ({ errors }) => errors.map(describe)));
      }
      return results;
    `,
  });
  expect(result).toEqual([[["No matching export", "src/a.ts", 1, 18]], [['Import "help" will always be undefined', "src/a.ts", 1, 18]]]);
});

test("a property that a namespace object lacks is undefined, as in the program, wherever the import stands", async () => {
  const result = await runScenario("lacking", {
    files: {
      "src/a.ts": `import * as help from "./help.js"; export function task() { return [help.one, (help as any).two]; }`,
      "src/help.ts": `export const one = 1;`,
    },
    tasks: ["src/a.ts#task"],
    run: `return (await load("src/a.ts#task"))();`,
  });
  expect(result).toEqual([1, null]);
});

test("a rebuild while the program runs is picked up by the next load; unchanged files are not written; stale chunks go", async () => {
  const result = await runScenario("rebuild", {
    ...shared,
    run: `
      await load("src/b.ts#second");
      const before = new Map(fs.readdirSync(folder).map((name) => [name, fs.statSync(path.join(folder, name)).mtimeMs]));
      await bundle();
      const rewritten = [...before].filter(([name, time]) => fs.statSync(path.join(folder, name)).mtimeMs !== time);
      fs.writeFileSync(path.join(root, "src/a.ts"), "export function first(n: number) { return n * 100; }");
      await bundle();
      const gone = [...before.keys()].filter((name) => !fs.existsSync(path.join(folder, name))).map((name) => name.replace(/-[A-Z0-9]{8}/, ""));
      return [rewritten.length, (await load("src/a.ts#first"))(2), gone.sort()];
    `,
  });
  expect(result).toEqual([0, 200, expect.arrayContaining(["first.cjs", "first.cjs.map"])]);
});

test("chunks of another manifest in the same folder stay", async () => {
  const result = await runScenario("two-manifests", {
    ...shared,
    run: `
      fs.writeFileSync(path.join(folder, "other.json"), JSON.stringify({ ...manifest, key: "other" }));
      fs.writeFileSync(path.join(root, "src/a.ts"), "export function first(n: number) { return n * 100; }");
      await bundle();
      const missing = Object.keys(JSON.parse(fs.readFileSync(path.join(folder, "other.json"))).chunks).filter((name) => !fs.existsSync(path.join(folder, name)));
      return missing;
    `,
  });
  expect(result).toEqual([]);
});

test("the code cache of a chunk that has run is used by the next loader", async () => {
  const result = await runScenario("code-cache", {
    ...shared,
    run: `
      const offered = [];
      const store = new loaderModule.FsChunkStore();
      const offer = store.offerCodeCache.bind(store);
      store.offerCodeCache = (file, sha, cache) => { offered.push(cache.length > 0); offer(file, sha, cache); };
      const one = new loaderModule.ChunkLoader(store, { api, internal });
      one.loadTask(manifestFile, "src/a.ts#first").fn(1);
      const first = [one.offerCodeCaches(), one.offerCodeCaches(), offered.length > 0 && offered.every(Boolean)];
      const two = new loaderModule.ChunkLoader(store, { api, internal });
      two.loadTask(manifestFile, "src/a.ts#first").fn(1);
      return [...first, two.offerCodeCaches()];
    `,
  });
  expect(result).toEqual([true, false, true, false]);
});

test("the interface is loaded in a worker when a chunk asks for it", async () => {
  const result = await runScenario("lazy-interface", {
    files: {
      "src/a.ts": `export function plain(n: number): number { return n + 1; }\n`,
      "src/b.ts": `import { taskInfo } from "makeparallel";\nexport function asks(): unknown { return taskInfo; }\n`,
    },
    tasks: ["src/a.ts#plain", "src/b.ts#asks"],
    run: `
      const asked = [];
      const runtime = { get api() { asked.push("api"); return api; }, get internal() { asked.push("internal"); return internal; } };
      const loader = new loaderModule.ChunkLoader(new loaderModule.FsChunkStore(), runtime);
      const sum = loader.loadTask(manifestFile, "src/a.ts#plain").fn(1);
      const before = [...asked];
      loader.loadTask(manifestFile, "src/b.ts#asks").fn();
      return [sum, before, asked];
    `,
  });
  expect(result).toEqual([2, [], ["api"]]);
});

test("closures in a task are not renamed at each call", async () => {
  const result = await runScenario("names", {
    ...shared,
    run: `
      const text = fs.readdirSync(folder).filter((name) => name.endsWith(".cjs")).map((name) => fs.readFileSync(path.join(folder, name), "utf8")).join("");
      return [text.includes("const twice = (x) => x * 2;"), (await load("src/a.ts#first")).name];
    `,
  });
  expect(result).toEqual([true, "first"]);
});
