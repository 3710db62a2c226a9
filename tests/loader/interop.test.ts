/** What chunks get from packages: the same as the program that they were cut out of. */
import { runScenario, type Scenario } from "./support/scenario";

const source = `
import old, { named } from "fixture-cjs-interop";
import plain, { answer } from "fixture-cjs-plain";
import * as all from "fixture-cjs-plain";
import dual, { kind } from "fixture-dual";
import * as fs from "node:fs";
import { marker } from "makeparallel";
export function values() { return [old, named, plain, answer, Object.keys(all).sort(), dual, kind, typeof fs.readFileSync, marker]; }
export async function dynamic() {
  const { default: dual } = await import("fixture-dual");
  const late = await import("fixture-esm-late");
  return [dual, late.default];
}
export function optional() { try { require("not-installed"); } catch (error) { return error.code; } }
export async function optionalImport() { return import("not-installed").catch((error) => error.code); }
`;
const base: Omit<Scenario, "run"> = {
  files: { "src/a.ts": source },
  tasks: ["src/a.ts#values", "src/a.ts#dynamic", "src/a.ts#optional", "src/a.ts#optionalImport"],
};

test("code of an ES module sees packages as Node's ES modules do", async () => {
  const result = await runScenario("esm", {
    ...base,
    format: "esm",
    run: `return [(await load("src/a.ts#values"))(), await (await load("src/a.ts#dynamic"))()];`,
  });
  expect(result).toEqual([
    [
      { default: "old default", named: "old named" },
      "old named",
      { answer: 42 },
      42,
      ["answer", "default"],
      "dual by import",
      "esm",
      "function",
      "api",
    ],
    ["dual by import", "late"],
  ]);
});

test("code that is emitted as CommonJS sees packages as require with esModuleInterop gives them", async () => {
  const result = await runScenario("cjs", { ...base, format: "cjs", run: `return (await load("src/a.ts#values"))();` });
  expect(result).toEqual([
    "old default",
    "old named",
    { answer: 42 },
    42,
    ["answer", "default"],
    "dual by require",
    "cjs",
    "function",
    "api",
  ]);
});

test("a CommonJS file that keeps its native import() gets what import() gives", async () => {
  const result = await runScenario("cjs-native-import", {
    ...base,
    format: "cjs",
    options: `{ defaultFormat: { module: "cjs", dynamicImport: "esm", emitted } }`,
    run: `return (await load("src/a.ts#dynamic"))();`,
  });
  expect(result).toEqual(["dual by import", "late"]);
});

test("an ES module that says what require gives of it is still imported by its names", async () => {
  const result = await runScenario("esm-required", {
    files: {
      "src/a.ts": `import whole, { named } from "fixture-esm-required";\nimport * as all from "fixture-esm-required";\nexport function values() { return [whole(), named, all.named]; }`,
    },
    tasks: ["src/a.ts#values"],
    format: "esm",
    run: `return (await load("src/a.ts#values"))();`,
  });
  expect(result).toEqual(["whole", "named", "named"]);
});

test.each([
  ["an ES module", "esm", "{}", ["object", "old named", { answer: 42 }, 42]],
  [
    "code of a bundle",
    "cjs",
    `{ defaultFormat: { module: "cjs", dynamicImport: "esm", nodeInterop: false, emitted } }`,
    ["string", "old named", { answer: 42 }, 42],
  ],
  ["where esbuild splits code", "esm", "{ givesWholeCommonJs: true }", ["object", null, { answer: 42 }, null]],
] as const)(
  "import() of a CommonJS package that is in the chunks gives what it gives there: %s",
  async (name, format, options, expected) => {
    const result = await runScenario(`dynamic-${name.replaceAll(" ", "-")}`, {
      files: {
        "src/a.ts": `export async function task() {
  const [old, plain] = await Promise.all([import("fixture-cjs-interop"), import("fixture-cjs-plain")]);
  return [typeof old.default, old.named, plain.default, plain.answer];
}`,
      },
      tasks: ["src/a.ts#task"],
      format,
      options: `{ packages: "bundle", ...${options} }`,
      run: `return (await load("src/a.ts#task"))();`,
    });
    expect(result).toEqual(expected);
  },
);

test("a bundled package that awaits at the top level knows its place", async () => {
  const result = await runScenario("late-place", {
    files: { "src/a.ts": `import late, { place } from "fixture-esm-late";\nexport function task() { return [late, place]; }` },
    tasks: ["src/a.ts#task"],
    options: `{ packages: "bundle" }`,
    run: `return (await load("src/a.ts#task"))();`,
  });
  expect(result).toEqual(["late", "string"]);
});

test("without esModuleInterop import() gives what require gives", async () => {
  const result = await runScenario("dynamic-no-interop", {
    files: { "src/a.ts": `export async function task() { const call: any = await import("fixture-cjs-callable"); return call(2); }` },
    tasks: ["src/a.ts#task"],
    format: "cjs",
    options: `{ defaultFormat: { module: "cjs", interop: false, emitted } }`,
    run: `return (await load("src/a.ts#task"))();`,
  });
  expect(result).toBe(4);
});

test("without esModuleInterop a namespace import is module.exports itself", async () => {
  const result = await runScenario("no-interop", {
    files: { "src/a.ts": `import * as plain from "fixture-cjs-callable";\nexport function call() { return plain(2); }` },
    tasks: ["src/a.ts#call"],
    format: "cjs",
    options: `{ defaultFormat: { module: "cjs", interop: false, emitted } }`,
    run: `return (await load("src/a.ts#call"))();`,
  });
  expect(result).toBe(4);
});

test("a missing optional package looks to the code as Node makes it look", async () => {
  const result = await runScenario("optional", {
    ...base,
    run: `return [(await load("src/a.ts#optional"))(), await (await load("src/a.ts#optionalImport"))()];`,
  });
  expect(result).toEqual(["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"]);
});

test("a missing package is named together with the task that needs it", async () => {
  const result = await runScenario("missing", {
    files: { "src/a.ts": `import x from "not-installed";\nexport function task() { return x; }` },
    tasks: ["src/a.ts#task"],
    run: `return load("src/a.ts#task").then(() => "loaded", (error) => [error.code, error.message.includes("not-installed"), error.message.includes("the task task")]);`,
  });
  expect(result).toEqual(["MP_CHUNK", true, true]);
});

test("chunks and packages that await at the top level are waited for, in order", async () => {
  const result = await runScenario("late", {
    files: {
      "src/late.ts": `import late from "fixture-esm-late";\nexport const value = await Promise.resolve(late + "!");\nexport const place = import.meta.url.startsWith("file:");`,
      "src/a.ts": `import { value, place } from "./late.js";\nexport class Box { v = value }\nexport function task() { return [value, place, new Box().v, Box.name]; }`,
      "src/b.ts": `import { value } from "./late.js";\nexport function other() { return value.length; }`,
    },
    tasks: ["src/a.ts#task", "src/b.ts#other"],
    classes: ["src/a.ts#Box"],
    run: `
      const first = loader.loadTask(manifestFile, "src/a.ts#task");
      const second = loader.loadTask(manifestFile, "src/b.ts#other");
      const values = [first instanceof Promise, (await first).fn(), (await second).fn()];
      const again = loader.loadTask(manifestFile, "src/a.ts#task");
      return [...values, again instanceof Promise, typeof (await loader.loadClass(manifestFile, "src/a.ts#Box"))];
    `,
  });
  expect(result).toEqual([true, ["late!", true, "late!", "Box"], 5, false, "function"]);
});

test.each(["esm", "cjs"] as const)("a package comes before a shared chunk whose import stands behind its own (%s)", async (format) => {
  const result = await runScenario(`order-${format}`, {
    files: {
      "src/start.ts": `export class Start { static at = globalThis.fixtureZone(); }`,
      "src/a.ts": `import { zone } from "fixture-sets-up";\nimport { Start } from "./start.js";\nexport function task() { return [zone, Start.at]; }`,
      "src/b.ts": `import { Start } from "./start.js";\nexport function other() { return Start.at; }`,
    },
    tasks: ["src/a.ts#task", "src/b.ts#other"],
    classes: ["src/start.ts#Start"],
    format,
    run: `return [(await load("src/a.ts#task"))(), (await load("src/b.ts#other"))()];`,
  });
  expect(result).toEqual([["utc", "utc"], "utc"]);
});
