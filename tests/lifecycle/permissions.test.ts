/** Under Node's permission model: the error says which flags are missing, and with them everything works. */
import path from "node:path";
import { hasNative, threaded } from "../support/backends";
import { removeTemporaryFolders, runNode, temporaryFolder, type Ended } from "../support/children";
import { ROOT, writeProgram } from "../support/chunks";

afterAll(removeTemporaryFolders);

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const PERMISSION = major > 22 || (major === 22 && minor >= 13) ? "--permission" : "--experimental-permission";

const tasks = { add: (a: number, b: number) => a + b };

const MAIN = `
  for (const look of [async () => T.add(1, 2).get(), async () => await T.add(1, 2)]) {
    try { console.log(await look()); }
    catch (error) { console.log(error.name + ": " + error.message); }
  }`;

/** @param read may the program's own folder (and with it the chunks) be read? */
async function run(backend: string | undefined, flags: string[], read: "all" | "package" = "all"): Promise<Ended & { lines: string[] }> {
  const { main, folder } = writeProgram(path.join(temporaryFolder(), "program"), { tasks, main: MAIN });
  const readable = read === "all" ? [folder, ROOT] : [main, ROOT];
  const ended = await runNode(main, [], {
    execArgv: [PERMISSION, ...readable.map((each) => `--allow-fs-read=${each === main ? each : each + path.sep}`), ...flags],
    env: { ...(backend === undefined ? {} : { MAKEPARALLEL_BACKEND: backend }), MAKEPARALLEL_THREADS: "2", NODE_NO_WARNINGS: "1" },
  });
  return { ...ended, lines: ended.stdout.trimEnd().split("\n") };
}

test.each(threaded)("the permission model without --allow-worker on the %s backend", async (backend) => {
  const { hung, code, lines } = await run(backend, ["--allow-addons"]);
  expect({ hung, code }).toEqual({ hung: false, code: 0 });
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(line).toMatch(/^ParallelError: add: Node's permission model is on.*--allow-worker/);
});

test.each(threaded)("the permission model without --allow-fs-read for the chunks on the %s backend", async (backend) => {
  const { hung, code, lines } = await run(backend, ["--allow-addons", "--allow-worker"], "package");
  expect({ hung, code }).toEqual({ hung: false, code: 0 });
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(line).toMatch(/^ChunkError: .*--allow-fs-read/);
});

test.each(threaded)("the permission model with every flag that is needed on the %s backend", async (backend) => {
  const { hung, code, stderr, lines } = await run(
    backend,
    backend === "native" ? ["--allow-addons", "--allow-worker"] : ["--allow-worker"],
  );
  expect({ hung, code, stderr, lines }).toEqual({ hung: false, code: 0, stderr: "", lines: ["3", "3"] });
});

(hasNative ? test : test.skip)("the permission model without --allow-addons falls back to TypeScript, and says why", async () => {
  const { code, stderr, lines } = await run(undefined, ["--allow-worker"]);
  expect({ code, lines }).toEqual({ code: 0, lines: ["3", "3"] });
  expect(stderr).toMatch(
    /^makeparallel: the native backend is not available \(.*--allow-addons\); using the TypeScript backend, which is slower\.\n$/,
  );
  const asked = await run("native", ["--allow-worker"]);
  expect(asked.lines[0]).toMatch(/^ParallelError: .*--allow-addons\. Use backend: "typescript"\.$/);
});

test("the permission model and the inline backend need no workers", async () => {
  expect(await run("inline", [])).toMatchObject({ code: 0, lines: ["3", "3"] });
});
