/**
 * The rows of docs/faults.md as tests.
 *
 * A row says what a fault comes to: the error, its code and message, whether the worker is replaced, whether `retry` repeats the task. Each is measured, in
 * child processes that must end in time, on each backend with one worker and with two; docs.test.ts checks that the document says the same.
 */
import path from "node:path";
import { threaded, type BackendName } from "./backends";
import { removeTemporaryFolders, runNode, temporaryFolder, type Ended, type RunOptions } from "./children";
import { type Program, writeProgram } from "./chunks";

interface Common {
  on?: readonly BackendName[];
}

/** A fault of one call of a task. */
export interface CallFault extends Common {
  /** Which task is called, with what, and under which options (texts). */
  task: string;
  args?: string;
  options?: string;
  /** Class of the error; "the value" for thrown values that are no errors. */
  error: string;
  code?: string;
  /** The message; `{f}` is the task's name, `…` any text. */
  message: string;
  worker: "kept" | "replaced";
  /** Does the option `retry` repeat it? */
  retried: boolean;
  /** More settings of the pool (text). */
  pool?: string;
  /** Statements that see `error`. */
  check?: string;
}

/** Anything else: a program that must come to its end. */
export interface ProgramFault extends Common {
  /** Code of the chunk before the tasks. */
  chunkPrologue?: string;
  /** Changes the program before it runs. */
  change?: (program: Program) => void;
  run?: Omit<RunOptions, "env"> & { env?: Record<string, string> };
  /** What is written to stderr; default: nothing. */
  stderr?: RegExp;
  /** Statements of the program; `threads` is 1, then 2, and the pool is shut down after each. */
  main: string;
  /** Thread counts to run it with; default 1 and 2. */
  threads?: readonly number[];
  /** What the process comes to; default: exit code 0, and "survived" at the end of stdout. */
  ended?: (ended: Ended) => void;
  /** How the document puts the outcome; each of these words stands in its row. */
  outcome?: readonly string[];
}

export type Fault = CallFault | ProgramFault;

export interface FaultGroup {
  /** Heading of its table in docs/faults.md. */
  title: string;
  tasks: Record<string, Function>;
  /** By the name of the row. */
  rows: Record<string, Fault>;
}

declare const require: (id: string) => any;

const COMMON_TASKS: Record<string, Function> = {
  add: (a: number, b: number) => a + b,
  spin: (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return ms;
  },
  thread: () => require("node:worker_threads").threadId,
};

const MARK = "\u0001";

interface Measured {
  look: string;
  threads: number;
  error: string;
  code?: string;
  message: string;
  worker?: string;
  retried?: boolean;
}

interface Said {
  row: string;
  measured?: Measured;
  problem?: string;
}

export function isCall(fault: Fault): fault is CallFault {
  return "task" in fault;
}

/** A function that takes one look at a fault. */
function probe({ task, args = "", options, pool, check = "" }: CallFault): string {
  return `{ pool: ${pool ?? "undefined"}, run: async (threads, look) => {
      const before = threads === 1 ? T.thread().get() : undefined;
      const neighbour = threads === 2 ? T.spin(20) : undefined;
      let asked = false, error, handle, failed = false;
      const retry = { attempts: 2, delay: 1, when: () => { asked = true; return false; } };
      try {
        handle = look === "retry" ? T.${task}.with({ ...${options ?? "{}"}, retry })(${args}) : T.${task}${options === undefined ? "" : `.with(${options})`}(${args});
        if (look === "get") handle.get(); else await handle;
      } catch (thrown) { error = thrown; failed = true; }
      assert.ok(failed, "it did not fail");
      ${check}
      // The others, and the pool, go on.
      assert.strictEqual(T.add(1, 2).get(), 3);
      assert.strictEqual(await T.add(3, 4), 7);
      if (neighbour !== undefined) assert.strictEqual(neighbour.get(), 20);
      const own = error instanceof mp.ParallelError;
      if (own && error.task !== undefined) assert.strictEqual(error.task, "${task}");
      // The task's own frames first, if any, then the place of the call; a refused call has only that.
      if (error instanceof Error && !Object.isFrozen(error) && look === "get" && handle !== undefined) {
        assert.match(error.stack, /\\n    at .*main\\.cjs:/);
        assert.doesNotMatch(error.stack, /runtime-ts/);
      }
      return {
        look, threads,
        error: error instanceof Error ? error.constructor.name : "the value",
        code: own ? error.code : undefined,
        message: error instanceof Error ? error.message : String(error),
        worker: threads === 1 ? (T.thread().get() === before ? "kept" : "replaced") : undefined,
        retried: look === "retry" ? asked : undefined,
      };
    } }`;
}

/** All faults one after the other in one pool, which shows that each leaves it whole. */
function callsProgram(rows: readonly (readonly [string, CallFault])[]): string {
  return `
  const say = (value) => require("node:fs").writeSync(1, ${JSON.stringify(MARK)} + JSON.stringify(value) + "\\n");
  const probes = { ${rows.map(([name, fault]) => `${JSON.stringify(name)}: ${probe(fault)}`).join(",\n")} };
  for (const threads of [1, 2]) {
    for (const [row, { pool, run }] of Object.entries(probes)) {
      if (pool !== undefined) { await mp.shutdown({ cancelPending: true }); mp.configure({ threads, ...pool }); }
      for (const look of ["get", "await", "retry"]) {
        say({ row });
        try { say({ row, measured: await run(threads, look) }); }
        catch (problem) { say({ row, problem: threads + " threads, " + look + ": " + problem.stack }); }
      }
      if (pool !== undefined) { await mp.shutdown({ cancelPending: true }); mp.configure({ threads }); }
    }
    await mp.shutdown({ cancelPending: true });
    if (threads === 1) mp.configure({ threads: 2 });
  }
  console.log("survived");`.replace("for (const threads of [1, 2]) {", "mp.configure({ threads: 1 });\n  for (const threads of [1, 2]) {");
}

function mainProgram({ main, threads = [1, 2] }: ProgramFault): string {
  return `
  for (const threads of ${JSON.stringify(threads)}) {
    mp.configure({ threads });
    {
    ${main}
    }
    await mp.shutdown({ cancelPending: true });
  }
  console.log("survived");`;
}

function pattern(message: string, task: string): RegExp {
  const parts = message.replaceAll("{f}", task).split("…");
  return new RegExp(`^${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("[^]*")}$`);
}

/** Declares the tests of a group. */
export function testFaults(group: FaultGroup): void {
  afterAll(removeTemporaryFolders);
  const tasks = { ...COMMON_TASKS, ...group.tasks };
  describe.each(threaded)("on the %s backend", (backend) => {
    const rows = Object.entries(group.rows).filter(([, { on }]) => on === undefined || on.includes(backend));
    const calls = rows.filter((row): row is [string, CallFault] => isCall(row[1]));
    const programs = rows.filter((row): row is [string, ProgramFault] => !isCall(row[1]));

    if (calls.length > 0) {
      let ended: Ended;
      let said: Said[];
      beforeAll(async () => {
        const program = writeProgram(path.join(temporaryFolder(), "calls"), { tasks, main: callsProgram(calls) });
        ended = await runNode(program.main, [], { env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_STACKS: "all" }, limit: 100_000 });
        said = ended.stdout
          .split("\n")
          .filter((line) => line.startsWith(MARK))
          .map((line) => JSON.parse(line.slice(MARK.length)) as Said);
      }, 110_000);
      test("the program survives all of these in a row", () => {
        expect(ended).toMatchObject({ hung: false, code: 0, signal: null, stderr: "", stdout: expect.stringMatching(/survived\n$/) });
      });
      test.each(calls)("%s", (name, fault) =>
        checkCall(
          fault,
          said.filter(({ row }) => row === name),
        ),
      );
    }

    if (programs.length === 0) return;
    test.each(programs)("%s", async (_, fault) => {
      const program = writeProgram(path.join(temporaryFolder(), "program"), {
        tasks,
        main: mainProgram(fault),
        ...(fault.chunkPrologue === undefined ? {} : { chunkPrologue: fault.chunkPrologue }),
      });
      fault.change?.(program);
      const env = { MAKEPARALLEL_BACKEND: backend, ...fault.run?.env };
      const ended = await runNode(program.main, [], { limit: 20_000, ...fault.run, env });
      if (fault.ended !== undefined) {
        expect(ended.hung).toBe(false);
        fault.ended(ended);
        return;
      }
      if (ended.hung || ended.code !== 0 || !/survived\n$/.test(ended.stdout)) {
        const how = ended.hung ? "It hung" : `It ended with ${ended.signal ?? ended.code}`;
        throw new Error(`${how}.\n${ended.stdout}\n${ended.stderr}`);
      }
      expect(ended.stderr).toMatch(fault.stderr ?? /^$/);
    });
  });
}

function checkCall(fault: CallFault, said: readonly Said[]): void {
  const problems = said.flatMap(({ problem }) => problem ?? []);
  if (problems.length > 0) throw new Error(problems.join("\n\n"));
  const measured = said.flatMap(({ measured }) => measured ?? []);
  // Fewer: the process has ended or hung in the middle.
  expect(measured.map(({ look, threads }) => `${look} ${threads}`)).toEqual(
    [1, 2].flatMap((threads) => ["get", "await", "retry"].map((look) => `${look} ${threads}`)),
  );
  for (const { look, threads, ...outcome } of measured) {
    expect({ look, threads, ...outcome }).toEqual({
      look,
      threads,
      error: fault.error,
      ...(fault.code === undefined ? {} : { code: fault.code }),
      message: expect.stringMatching(pattern(fault.message, fault.task)),
      ...(threads === 1 ? { worker: fault.worker } : {}),
      ...(look === "retry" ? { retried: fault.retried } : {}),
    });
  }
}
