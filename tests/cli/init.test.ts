/** `init` where projects are unusual, broken, or can't be changed safely. */
import * as fs from "node:fs";
import * as path from "node:path";
import { inlineProject, removeProjects, type UserProject } from "./support/project";

const TSCONFIG = {
  compilerOptions: { target: "ES2022", module: "CommonJS", outDir: "dist", rootDir: "src", strict: true, skipLibCheck: true },
  include: ["src"],
};
const MAIN = `import { parallel } from "makeparallel";\nconst twice = parallel((n: number) => n * 2);\nvoid twice(21).then((n) => console.log(n));\n`;
const PACKAGE = {
  name: "app",
  scripts: { build: "tsc" },
  dependencies: { makeparallel: "^0.1.0" },
  devDependencies: { typescript: "^5.9.0", "ts-patch": "^3.3.0" },
};
const INSTALLED = { installed: ["typescript", "ts-patch", "makeparallel", "esbuild", "@types/node"] };

afterAll(removeProjects);

function versionOnly(project: UserProject, name: string, version: string): void {
  fs.rmSync(project.file(`node_modules/${name}`), { recursive: true, force: true });
  project.write(`node_modules/${name}/package.json`, JSON.stringify({ name, version, main: "index.js" }));
  project.write(`node_modules/${name}/index.js`, `exports.version = ${JSON.stringify(version)};`);
}

async function unchanged(project: UserProject, code: number, pattern: RegExp): Promise<string> {
  const before = project.files();
  const { code: exitCode, stdout, stderr } = await project.makeparallel(["init"]);
  expect(stdout + stderr).toMatch(pattern);
  expect(exitCode).toBe(code);
  expect(project.files()).toEqual(before);
  return stdout;
}

describe("files that can't be read are left as they are", () => {
  test("a tsconfig.json that is not JSON", async () => {
    const project = inlineProject({ "package.json": PACKAGE, "tsconfig.json": '{ "compilerOptions": { "target": }' }, INSTALLED);
    await unchanged(project, 1, /tsconfig\.json was left as it is: it can't be parsed \(\w+ in line 1\)/);
  });

  test("a package.json that is not JSON", async () => {
    const project = inlineProject({ "package.json": '{ "name": "app", }', "tsconfig.json": TSCONFIG });
    await unchanged(project, 1, /package\.json is not valid JSON: \w+ in line 1/);
  });

  test("a base that is not there", async () => {
    const project = inlineProject({ "package.json": PACKAGE, "tsconfig.json": { extends: "@acme/tsconfig", ...TSCONFIG } }, INSTALLED);
    await unchanged(project, 1, /it extends "@acme\/tsconfig", which is not there/);
  });

  test("a tsconfig.json that says compilerOptions twice", async () => {
    const project = inlineProject(
      {
        "package.json": { ...PACKAGE, scripts: {} },
        "tsconfig.json": '{ "compilerOptions": { "strict": true }, "compilerOptions": { "outDir": "dist" } }',
      },
      INSTALLED,
    );
    await unchanged(project, 1, /could not be edited without changing something else/);
  });

  test("no package.json at all", async () => {
    const project = inlineProject({ "tsconfig.json": TSCONFIG });
    await unchanged(project, 1, /There is no package\.json/);
  });
});

describe("tsconfig.json", () => {
  const edited = async (text: string, others: Record<string, string | object> = {}): Promise<string> => {
    const project = inlineProject({ "package.json": PACKAGE, "tsconfig.json": text, ...others }, INSTALLED);
    const { code, stdout } = await project.makeparallel(["init"]);
    expect(`${code} ${stdout}`).toMatch(/^0 /);
    const { stdout: again } = await project.makeparallel(["init"]);
    expect(again).toMatch(/Nothing to change/);
    return project.read("tsconfig.json");
  };

  test("Windows line ends, a byte order mark and tabs stay", async () => {
    expect(await edited('\uFEFF{\r\n\t"compilerOptions": {\r\n\t\t"strict": true // yes\r\n\t}\r\n}\r\n')).toBe(
      '\uFEFF{\r\n\t"compilerOptions": {\r\n\t\t"strict": true, // yes\r\n\t\t"plugins": [{ "transform": "makeparallel/transformer" }]\r\n\t}\r\n}\r\n',
    );
  });

  test("an entry that is commented out is none", async () => {
    expect(
      await edited(
        '{\n  "compilerOptions": {\n    // "plugins": [{ "transform": "makeparallel/transformer" }]\n    "strict": true,\n  }\n}\n',
      ),
    ).toBe(
      '{\n  "compilerOptions": {\n    // "plugins": [{ "transform": "makeparallel/transformer" }]\n    "strict": true,\n    "plugins": [{ "transform": "makeparallel/transformer" }],\n  }\n}\n',
    );
  });

  test("a wrong path is put right, and other plugins stay", async () => {
    expect(
      await edited('{ "compilerOptions": { "plugins": [{ "name": "a" }, { "transform": "makeparallel", "packages": "bundle" }] } }'),
    ).toBe('{ "compilerOptions": { "plugins": [{ "name": "a" }, { "transform": "makeparallel/transformer", "packages": "bundle" }] } }');
  });

  test("compilerOptions are made where there are none", async () => {
    expect(await edited('{\n  "include": ["src"]\n}\n')).toBe(
      '{\n  "include": ["src"],\n  "compilerOptions": { "plugins": [{ "transform": "makeparallel/transformer" }] }\n}\n',
    );
    expect(await edited("{}\n")).toBe('{\n  "compilerOptions": { "plugins": [{ "transform": "makeparallel/transformer" }] }\n}\n');
  });

  test("a list of plugins outside the package is carried over, with its paths", async () => {
    const project = inlineProject(
      {
        "package.json": { workspaces: ["packages/*"] },
        "tsconfig.base.json": { compilerOptions: { plugins: [{ transform: "./tools/paths.js", after: true }] } },
        "packages/app/package.json": PACKAGE,
        "packages/app/tsconfig.json": '{ "extends": ["../../tsconfig.base.json"], "include": ["src"] }',
      },
      { ...INSTALLED, folder: "packages/app" },
    );
    const { code } = await project.makeparallel(["init"]);
    expect(code).toBe(0);
    expect(JSON.parse(project.read("tsconfig.json")).compilerOptions.plugins).toEqual([
      { transform: "../../tools/paths.js", after: true },
      { transform: "makeparallel/transformer" },
    ]);
    expect(project.read("../../tsconfig.base.json")).not.toContain("makeparallel");
  });

  test("each project that a solution references in the package gets its entry; one whose base has it needs none", async () => {
    const project = inlineProject(
      {
        "package.json": { ...PACKAGE, scripts: { build: "tsc -b --verbose" } },
        "tsconfig.json": '{ "files": [], "references": [{ "path": "./tsconfig.cjs.json" }, { "path": "./tsconfig.esm.json" }] }',
        "tsconfig.shared.json": '{ "compilerOptions": { "strict": true } }',
        "tsconfig.cjs.json": '{ "extends": "./tsconfig.shared", "include": ["src"] }',
        "tsconfig.esm.json": '{ "extends": "./tsconfig.shared", "compilerOptions": { "module": "ESNext" }, "include": ["src"] }',
      },
      INSTALLED,
    );
    expect(await project.makeparallel(["init"])).toMatchObject({ code: 0 });
    const withEntry = Object.entries(project.files()).flatMap(([name, text]) => (text.includes("makeparallel/transformer") ? [name] : []));
    expect(withEntry).toEqual(["tsconfig.shared.json"]);
    expect(JSON.parse(project.read("package.json")).scripts.build).toBe("tspc -b --verbose");
    expect((await project.makeparallel(["init"])).stdout).toMatch(/Nothing to change/);
  });
});

describe("versions", () => {
  const withTypeScript = (version: string, more: Record<string, string | object> = {}): UserProject => {
    const project = inlineProject(
      { "package.json": PACKAGE, "tsconfig.json": TSCONFIG, "src/main.ts": MAIN, ...more },
      { installed: ["makeparallel", "esbuild", "@types/node"] },
    );
    versionOnly(project, "typescript", version);
    return project;
  };

  test("a TypeScript that is too old is said", async () => {
    await unchanged(withTypeScript("5.3.3"), 1, /TypeScript 5\.3\.3 is too old: makeparallel needs 5\.4\.0/);
  });

  test("TypeScript 6 gets ts-patch 4, where Node is new enough for it", async () => {
    const project = withTypeScript("6.0.2");
    versionOnly(project, "ts-patch", "3.3.0");
    const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
    if (major > 22 || (major === 22 && minor >= 15)) {
      const { stdout } = await project.makeparallel(["init", "--dry-run"]);
      expect(stdout).toMatch(/run npm i -D ts-patch@\^4/);
    } else await unchanged(project, 1, /TypeScript 6\.0\.2 is patched by ts-patch 4, which needs Node 22\.15\.0 or later/);
  });

  test("TypeScript 7 has esbuild write the JavaScript, and tsc go on checking", async () => {
    const project = withTypeScript("7.0.2", {
      "package.json": {
        ...PACKAGE,
        scripts: { build: "tsc", watch: "tsc -w" },
        devDependencies: { typescript: "^7.0.0", esbuild: "^0.28.0" },
      },
    });
    const { code, stdout } = await project.makeparallel(["init"]);
    expect(stdout).toMatch(/which has no compiler API/);
    expect(code).toBe(0);
    expect(JSON.parse(project.read("package.json")).scripts).toEqual({
      build: "tsc --noEmit && node esbuild.mjs",
      watch: "tsc -w --noEmit",
    });
    expect(stdout).toContain("`node esbuild.mjs --watch` beside it does");
    expect(project.read("tsconfig.json")).not.toContain("plugins");
    expect((await project.makeparallel(["init"])).stdout).toMatch(/Nothing to change/);
    expect(await project.node(["esbuild.mjs"])).toMatchObject({ code: 0 });
    expect(await project.node(["dist/main.js"])).toMatchObject({ stdout: "42\n", stderr: "" });
  });
});

describe("package managers", () => {
  const bare = {
    "package.json": { name: "app", scripts: { build: "tsc" }, devDependencies: { typescript: "^5.9.0" } },
    "tsconfig.json": TSCONFIG,
  };

  test("a failed installation changes no file", async () => {
    const project = inlineProject(bare);
    const before = project.files();
    const { code, stdout, stderr } = await project.makeparallel(["init"], { PACKAGE_MANAGER_FAILS: "1" });
    expect(code).toBe(1);
    expect(stderr).toMatch(/the registry can't be reached/);
    expect(stdout).toMatch(/`npm i makeparallel@\^[\d.]+` failed: it ended with exit code 7\. No file was changed/);
    expect(project.files()).toEqual(before);
    expect(project.asked()).toHaveLength(1);
  });

  test("an installation that fails after everything is there does not stop it", async () => {
    const project = inlineProject(bare);
    const { code, stdout } = await project.makeparallel(["init"], { PACKAGE_MANAGER_COMPLAINS: "1" });
    expect(stdout).toMatch(/`npm i makeparallel@\^[\d.]+`: it ended with exit code 1\. What it was to install is there, so init goes on\./);
    expect(stdout).toMatch(/✓ Done\./);
    expect(code).toBe(0);
    expect(project.read("tsconfig.json")).toContain("makeparallel/transformer");
  });

  test("--no-install names the commands and runs none", async () => {
    const project = inlineProject(bare);
    const { code, stdout } = await project.makeparallel(["init", "--no-install"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/to run by yourself: npm i makeparallel@\^[\d.]+\n {2}to run by yourself: npm i -D ts-patch@\^3\.3\.0/);
    expect(project.asked()).toEqual([]);
    expect(JSON.parse(project.read("package.json")).scripts.build).toBe("tspc");
  });

  test.each([
    ["pnpm-lock.yaml", { "pnpm-workspace.yaml": "packages: []\n", "pnpm-lock.yaml": "" }, {}, "pnpm add -w makeparallel@"],
    ["the field packageManager", {}, { packageManager: "yarn@4.5.0" }, "yarn add makeparallel@"],
    ["yarn.lock of a workspace's root", { "yarn.lock": "" }, { workspaces: ["a"] }, "yarn add -W makeparallel@"],
    ["bun.lockb", { "bun.lockb": "" }, {}, "bun add makeparallel@"],
    ["nothing", {}, {}, "npm i makeparallel@"],
  ])("told by %s", async (_, files, fields, command) => {
    const project = inlineProject({ ...bare, "package.json": { ...bare["package.json"], ...fields }, ...files });
    expect((await project.makeparallel(["init", "--dry-run"])).stdout).toContain(`run ${command}`);
  });

  test("what is declared and absent is installed", async () => {
    const project = inlineProject({ "package.json": PACKAGE, "tsconfig.json": TSCONFIG }, { installed: ["@types/node"] });
    expect((await project.makeparallel(["init", "--dry-run"])).stdout).toMatch(/run npm i\n/);
  });

  test("Node's types, which the declarations of makeparallel name, are installed where they are missing", async () => {
    const project = inlineProject({ "package.json": PACKAGE, "tsconfig.json": TSCONFIG }, { installed: ["typescript", "makeparallel"] });
    const [major] = process.versions.node.split(".");
    expect((await project.makeparallel(["init", "--dry-run"])).stdout).toContain(`run npm i -D @types/node@^${major}`);
  });

  test("a project that esbuild alone builds gets no compiler: the plugin has what it needs", async () => {
    const project = inlineProject(
      {
        "package.json": {
          name: "bundled",
          scripts: { build: "node build.mjs" },
          dependencies: { makeparallel: "^0.1.0" },
          devDependencies: { esbuild: "*" },
        },
        "build.mjs": `import { build } from "esbuild";\nawait build({ entryPoints: ["src/main.ts"], bundle: true, platform: "node" });\n`,
      },
      { installed: ["makeparallel", "esbuild"] },
    );
    const { code, stdout } = await project.makeparallel(["init"]);
    expect([code, project.asked()]).toEqual([0, []]);
    expect(stdout).toContain("makeparallel() first in plugins");
  });
});

describe("scripts", () => {
  const scriptsAfter = async (
    scripts: Record<string, string>,
    more: Record<string, string | object> = {},
  ): Promise<{ scripts: Record<string, string>; stdout: string }> => {
    const project = inlineProject(
      {
        "package.json": { ...PACKAGE, scripts },
        "tsconfig.json": TSCONFIG,
        "tsconfig.check.json": { extends: "./tsconfig.json", compilerOptions: { noEmit: true } },
        ...more,
      },
      INSTALLED,
    );
    const { stdout } = await project.makeparallel(["init"]);
    return { scripts: (JSON.parse(project.read("package.json")) as { scripts: Record<string, string> }).scripts, stdout };
  };

  test("builds become tspc, with their flags; what only checks, declares or asks stays", async () => {
    const { scripts } = await scriptsAfter({
      a: "NODE_ENV=production npx --no-install tsc -p . --outDir out; cp x y",
      b: "cross-env A=1 tsc --declaration true",
      c: "./node_modules/.bin/tsc -b",
      d: "tsc --noEmit -p tsconfig.json && tsc",
      e: "tsc -p tsconfig.check.json",
      f: "tsc -p tsconfig.check.json --noEmit false",
      g: "tsc --emitDeclarationOnly",
      h: "tsc --version",
      i: "pnpm exec tsc",
      j: "concurrently 'tsc --watch' 'echo \"tsc\"'",
      k: "echo tsc && git commit -m 'tsc works'",
      l: "npm run tsc",
      m: "tsc-alias -p tsconfig.json",
      tsc: "vue-tsc",
    });
    expect(scripts).toEqual({
      a: "NODE_ENV=production npx --no-install tspc -p . --outDir out; cp x y",
      b: "cross-env A=1 tspc --declaration true",
      c: "./node_modules/.bin/tspc -b",
      d: "tsc --noEmit -p tsconfig.json && tspc",
      e: "tsc -p tsconfig.check.json",
      f: "tspc -p tsconfig.check.json --noEmit false",
      g: "tsc --emitDeclarationOnly",
      h: "tsc --version",
      i: "pnpm exec tspc",
      j: "concurrently 'tspc --watch' 'echo \"tsc\"'",
      k: "echo tsc && git commit -m 'tsc works'",
      l: "npm run tsc",
      m: "tsc-alias -p tsconfig.json",
      tsc: "vue-tsc",
    });
  });

  test("a compiler that is patched at each installation keeps its name", async () => {
    const { scripts } = await scriptsAfter({ prepare: "ts-patch install -s", build: "tsc" });
    expect(scripts).toEqual({ prepare: "ts-patch install -s", build: "tsc" });
  });

  test("file names on the command line are pointed out", async () => {
    const { scripts, stdout } = await scriptsAfter({ build: "tsc src/main.ts --outDir dist" });
    expect(scripts).toEqual({ build: "tsc src/main.ts --outDir dist" });
    expect(stdout).toMatch(/scripts\.build compiles files that it names/);
  });

  test.each([
    [{ build: "nest build" }, { compilerOptions: { builder: "swc" } }],
    [{ build: "nest build --builder swc" }, {}],
    [{ build: "nest build", "start:dev": "nest start -b swc --watch", prepare: "ts-patch install -s" }, {}],
  ])("Nest's other builders are refused: %j", async (scripts, config) => {
    const project = inlineProject(
      { "package.json": { ...PACKAGE, scripts }, "tsconfig.json": TSCONFIG, "nest-cli.json": config },
      INSTALLED,
    );
    const { code, stdout } = await project.makeparallel(["init", "--dry-run"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/the builder "swc" here, which does not run transformers/);
  });
});

describe("esbuild", () => {
  const esbuildProject = (script: string, file = "build.mjs"): UserProject =>
    inlineProject(
      {
        "package.json": { ...PACKAGE, type: "module", scripts: { build: `node ${file}` } },
        "tsconfig.json": { compilerOptions: { noEmit: true } },
        [file]: script,
        "src/main.ts": MAIN,
      },
      INSTALLED,
    );

  test.each([
    [
      "options from elsewhere",
      'import { build } from "esbuild";\nconst options = {};\nawait build(options);\n',
      /the build's options are not written out/,
    ],
    [
      "spread options",
      'import { build } from "esbuild";\nimport { common } from "./common.mjs";\nawait build({ ...common, platform: "node" });\n',
      /may bring plugins along/,
    ],
    [
      "plugins from elsewhere",
      'import { build } from "esbuild";\nimport { plugins } from "./common.mjs";\nawait build({ platform: "node", plugins });\n',
      /its plugins are not a list written out/,
    ],
    [
      "a name that is taken",
      'import { build } from "esbuild";\nconst makeparallel = 1;\nawait build({ platform: "node", plugins: [] });\n',
      /something else named makeparallel/,
    ],
    ["a syntax error", 'import { build } from "esbuild";\nawait build({ platform: "node" plugins: [] });\n', /can't be parsed/],
    [
      "a build for browsers",
      'import { build } from "esbuild";\nawait build({ platform: "browser" });\n',
      /all its builds are for browsers/,
    ],
  ])("%s: left as it is, with the lines to add", async (_, script, reason) => {
    const stdout = await unchanged(esbuildProject(script), 0, reason);
    expect(stdout).toContain('import makeparallel from "makeparallel/esbuild";');
    expect(stdout).toContain("plugins: [makeparallel()],");
  });

  test.each([
    [
      "no plugins yet",
      'import * as esbuild from "esbuild";\nawait esbuild.build({\n  entryPoints: ["src/main.ts"],\n  platform: "node", // ours\n  format: "esm",\n  outdir: "dist",\n});\n',
      'import * as esbuild from "esbuild";\nimport makeparallel from "makeparallel/esbuild";\nawait esbuild.build({\n  entryPoints: ["src/main.ts"],\n  platform: "node", // ours\n  format: "esm",\n  outdir: "dist",\n  plugins: [makeparallel()],\n});\n',
      "build.mjs",
    ],
    [
      "CommonJS, in one line",
      'const { build } = require("esbuild");\nbuild({ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outdir: "dist", outExtension: { ".js": ".cjs" } });\n',
      'const { build } = require("esbuild");\nconst { makeparallel } = require("makeparallel/esbuild");\nbuild({ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outdir: "dist", outExtension: { ".js": ".cjs" }, plugins: [makeparallel()] });\n',
      "build.cjs",
    ],
  ])("%s: edited, and it builds", async (_, before, after, file) => {
    const project = esbuildProject(before, file);
    expect(await project.makeparallel(["init"])).toMatchObject({ code: 0, stderr: "" });
    expect(project.read(file)).toBe(after);
    expect((await project.makeparallel(["init"])).stdout).toMatch(/Nothing to change/);
    expect(await project.node([file])).toMatchObject({ code: 0 });
    expect(await project.node([fs.existsSync(project.file("dist/main.cjs")) ? "dist/main.cjs" : "dist/main.js"])).toMatchObject({
      stdout: "42\n",
      stderr: "",
    });
  });

  test("a command line is answered with a build script that does the same", async () => {
    const project = inlineProject(
      {
        "package.json": {
          ...PACKAGE,
          type: "module",
          scripts: {
            build:
              "esbuild src/main.ts --bundle --platform=node --format=esm --packages=external --outfile=dist/app.js --define:DEBUG=false",
          },
        },
        "src/main.ts": MAIN,
      },
      INSTALLED,
    );
    const stdout = await unchanged(project, 0, /esbuild's command line, which can't load plugins/);
    const lines = stdout.split("\n");
    const script = lines.slice(
      lines.findIndex((line) => line.includes("Save this")) + 2,
      lines.findIndex((line) => line.includes("and let scripts.build")) - 1,
    );
    project.write("esbuild.mjs", script.join("\n"));
    expect(await project.node(["esbuild.mjs"])).toMatchObject({ code: 0 });
    expect(await project.node(["dist/app.js"])).toMatchObject({ stdout: "42\n", stderr: "" });
  });
});

describe("other tools are named, with what exists", () => {
  test("a project that only Vite builds", async () => {
    const project = inlineProject(
      { "package.json": { ...PACKAGE, scripts: { build: "vite build" } }, "vite.config.ts": "export default {};\n" },
      INSTALLED,
    );
    const { stdout } = await project.makeparallel(["init", "--dry-run"]);
    const { exports } = JSON.parse(fs.readFileSync(path.join(__dirname, "../../package.json"), "utf8")) as { exports: object };
    expect(stdout).toContain("./vite" in exports ? "Vite is served by makeparallel/vite" : "This version has no adapter for Vite");
  });

  test("what alone builds the project has to be set up by hand, and makeparallel is installed", async () => {
    const files = { "package.json": { name: "app", scripts: { build: "vite build" } }, "vite.config.ts": "export default {};\n" };
    const project = inlineProject(files, { installed: ["typescript", "@types/node"] });
    const { stdout } = await project.makeparallel(["init", "--dry-run"]);
    expect(stdout).toMatch(/run npm i makeparallel@\^/);
    expect(stdout).toMatch(/To do by hand\n.*Vite \(vite\.config\.ts\): Vite is served by makeparallel\/vite\. Add:/);
    const done = inlineProject(
      {
        ...files,
        "package.json": { ...PACKAGE, scripts: { build: "vite build" } },
        "vite.config.ts": 'import makeparallel from "makeparallel/vite";\nexport default { plugins: [makeparallel()] };\n',
      },
      INSTALLED,
    );
    const again = await done.makeparallel(["init"]);
    expect(again.stdout).toMatch(/Nothing to change: this project is set up/);
    expect(again.stdout).not.toContain("is served by");
  });

  test.each([
    ["tsup", "tsup.config.ts", "makeparallel/esbuild", "esbuildPlugins: [makeparallel()]"],
    ["tsdown", "tsdown.config.ts", "makeparallel/rolldown", "plugins: [makeparallel()]"],
    ["nitropack build", "nitro.config.ts", "makeparallel/rollup", "rollupConfig: { plugins: [makeparallel()] }"],
    ["nuxt build", "nuxt.config.ts", "makeparallel/rollup", "nitro: { rollupConfig: { plugins: [makeparallel()] } }"],
    ["astro build", "astro.config.mjs", "makeparallel/vite", "vite: { plugins: [makeparallel()] }"],
    ["electron-vite build", "electron.vite.config.ts", "makeparallel/vite", "main: { plugins: [makeparallel()] }"],
  ])("what `%s` builds is not built by tsc, whatever tsconfig.json would write", async (build, config, subpath, use) => {
    const project = inlineProject(
      { "package.json": { ...PACKAGE, scripts: { build } }, "tsconfig.json": TSCONFIG, [config]: "export default {};\n" },
      INSTALLED,
    );
    const stdout = await unchanged(project, 0, /To do by hand/);
    expect(stdout).toContain(`is served by ${subpath}. Add:`);
    expect(stdout).toContain(use);
    expect(stdout).not.toContain("tspc");
    project.write(config, `import makeparallel from "${subpath}";\nexport default { ${use} };\n`);
    await unchanged(project, 0, /Nothing to change: this project is set up/);
    expect((await project.makeparallel(["doctor"])).stdout).not.toMatch(/^error/m);
  });

  test("Next.js is served by the plugin for webpack, which its own builds have to be told to use", async () => {
    const files = {
      "package.json": { name: "app", scripts: { dev: "next dev", build: "next build" } },
      "next.config.ts": "export default {};\n",
      "tsconfig.json": { compilerOptions: { noEmit: true, module: "esnext", moduleResolution: "bundler" } },
    };
    const { stdout } = await inlineProject(files, { installed: ["typescript", "@types/node"] }).makeparallel(["init", "--dry-run"]);
    expect(stdout).toMatch(/To do by hand\n.*Next\.js \(next\.config\.ts\): Next\.js is served by makeparallel\/webpack\. Add:/);
    expect(stdout).toContain("webpack(config) { config.plugins.push(makeparallel()); return config; }");
    expect(stdout).toContain("`next build --webpack`");
    expect(stdout).not.toContain("esbuild");
  });

  test("the root of a workspace that builds its packages by a pattern", async () => {
    const project = inlineProject(
      {
        "package.json": { ...PACKAGE, workspaces: ["packages/*"], scripts: { build: "tsc -b packages/*" } },
        "packages/a/tsconfig.json": TSCONFIG,
        "packages/a/package.json": { name: "a" },
        "packages/b/tsconfig.json": TSCONFIG,
        "packages/b/package.json": { name: "b" },
        "packages/notes/package.json": { name: "notes" },
      },
      INSTALLED,
    );
    const stdout = await unchanged(project, 1, /packages\/a\/tsconfig\.json is another package that is built along/);
    expect(stdout).toContain("packages/b/tsconfig.json is another package");
    expect(stdout).not.toMatch(/packages\/\*|notes/);
  });

  test("the root of a workspace", async () => {
    const project = inlineProject({ "package.json": { name: "root", workspaces: ["packages/*"], scripts: {} } });
    await unchanged(project, 1, /the root of a workspace/);
  });
});
