/**
 * One table of behaviours, run on each backend.
 *
 * The cases of a file run one after the other in a child process per backend, each with a pool of its own. A case that does not end in time is
 * reported as hung, its process is killed, and the rest runs in a new one.
 *
 * `TEST_NODE_OPTIONS` are given to the children: `--require` of tests/stress/perturb.cjs makes their threads stop at random. `TEST_TIMES=1` prints how long each case takes.
 */
import { spawn } from "node:child_process";
import path from "node:path";
import { all, type BackendName } from "./backends";
import { temporaryFolder, removeTemporaryFolders } from "./children";
import { writeProgram } from "./chunks";

/** What a case is called with. The text of the function is what runs: it sees nothing else. */
export interface Tools {
  /** The program's parallel functions. */
  T: Record<string, any>;
  mp: typeof import("../../runtime-ts/src/index");
  assert: typeof import("node:assert/strict");
  sleep(ms: number): Promise<void>;
  backend: BackendName;
  /** Waits until the condition holds. */
  until(condition: () => boolean): Promise<void>;
}

export type Run = (tools: Tools) => unknown;

export interface Case {
  run: Run;
  /** Workers; default 2. */
  threads?: number;
  /** More settings of the pool. */
  pool?: Record<string, unknown>;
  /** Backends that it is about; default all. */
  on?: readonly BackendName[];
  /** ms; default 15,000. */
  limit?: number;
}

interface Prologues {
  chunk?: string;
  program?: string;
}

interface Outcome {
  error?: string;
}

const MARK = "\u0001";

const RUNNER = `
const { readFileSync } = require("node:fs");
const say = (value) => require("node:fs").writeSync(1, "\\n${MARK}" + JSON.stringify(value) + "\\n");
const backend = process.env.TEST_BACKEND;
const until = async (condition) => { while (!condition()) await sleep(1); };
for (const name of JSON.parse(process.env.TEST_CASES)) {
  const { run, settings } = $cases[name];
  say({ start: name });
  let error;
  const started = performance.now();
  try {
    mp.configure({ backend, threads: 2, ...settings });
    await run({ T, mp, assert, sleep, backend, until });
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.stack : "threw " + String(thrown);
  }
  try {
    await mp.shutdown({ cancelPending: true });
  } catch (thrown) {
    error ??= thrown.stack;
  }
  if (process.env.TEST_TIMES) process.stderr.write(backend + " " + Math.round(performance.now() - started) + " ms: " + name + "\\n");
  say({ done: name, error });
}
`;

/**
 * Declares the tests.
 * @param area name of the group
 * @param tasks parallel functions of the program, see writeProgram
 * @param cases by the behaviour that they prove
 * @param prologues statements at the top of the chunk and of the program, for what tasks and cases share
 */
export function conformance(
  area: string,
  tasks: Record<string, Function>,
  cases: Record<string, Run | Case>,
  prologues: Prologues = {},
): void {
  const table = Object.entries(cases).map(([name, given]) => ({ name, ...(typeof given === "function" ? { run: given } : given) }));
  describe.each(all)(`${area} on the %s backend`, (backend) => {
    const mine = table.filter(({ on }) => on === undefined || on.includes(backend));
    if (mine.length === 0) {
      test("has nothing to show here", () => undefined);
      return;
    }
    let outcomes: Map<string, Outcome>;
    beforeAll(async () => {
      outcomes = await runCases(backend, tasks, mine, prologues);
    }, mine.length * 20_000);
    afterAll(removeTemporaryFolders);
    test.each(mine.map(({ name }) => name))("%s", (name) => {
      const outcome = outcomes.get(name);
      if (outcome === undefined) throw new Error("The case has not been run.");
      if (outcome.error !== undefined) throw new Error(outcome.error);
    });
  });
}

async function runCases(
  backend: BackendName,
  tasks: Record<string, Function>,
  cases: readonly (Case & { name: string })[],
  prologues: Prologues,
): Promise<Map<string, Outcome>> {
  const table = cases.map(
    ({ name, run, threads, pool }) =>
      `${JSON.stringify(name)}: { run: ${String(run)}, settings: ${JSON.stringify({ ...(threads === undefined ? {} : { threads }), ...pool })} }`,
  );
  const { main } = writeProgram(path.join(temporaryFolder(), backend), {
    tasks,
    chunkPrologue: prologues.chunk,
    main: `${prologues.program ?? ""}\nconst $cases = {\n${table.join(",\n")}\n};\n${RUNNER}`,
  });
  const outcomes = new Map<string, Outcome>();
  let rest = [...cases];
  while (rest.length > 0) {
    await runChild(main, backend, rest, outcomes);
    const left = rest.filter(({ name }) => !outcomes.has(name));
    if (left.length === rest.length) {
      // It died before its first case said anything.
      for (const { name } of left) outcomes.set(name, { error: "The process ended before the case ran." });
    }
    rest = left;
  }
  return outcomes;
}

function runChild(
  main: string,
  backend: BackendName,
  cases: readonly (Case & { name: string })[],
  outcomes: Map<string, Outcome>,
): Promise<void> {
  const child = spawn(process.execPath, [main], {
    env: {
      ...process.env,
      NODE_OPTIONS: process.env["TEST_NODE_OPTIONS"] ?? "",
      TEST_BACKEND: backend,
      TEST_CASES: JSON.stringify(cases.map(({ name }) => name)),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let current: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let buffered = "";
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    buffered += text;
    const lines = buffered.split("\n");
    buffered = lines.pop()!;
    for (const line of lines) {
      if (!line.startsWith(MARK)) {
        output += `${line}\n`;
        continue;
      }
      const message = JSON.parse(line.slice(1)) as { start?: string; done?: string; error?: string };
      clearTimeout(timer);
      if (message.start !== undefined) {
        current = message.start;
        output = "";
        const limit = cases.find(({ name }) => name === current)?.limit ?? 15_000;
        timer = setTimeout(() => {
          outcomes.set(current!, { error: `It hung: not done after ${limit} ms.\n${output}` });
          child.kill("SIGKILL");
        }, limit);
      } else {
        outcomes.set(message.done!, message.error === undefined ? {} : { error: message.error });
        current = undefined;
      }
    }
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (process.env["TEST_TIMES"]) process.stderr.write(text);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (current !== undefined && !outcomes.has(current)) {
        outcomes.set(current, { error: `The process ended in the middle of it (${signal ?? `exit code ${code}`}).\n${output}` });
      }
      resolve();
    });
  });
}
