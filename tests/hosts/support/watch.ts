/** A compiler that watches, as a child process. */
import { type ChildProcess, spawn } from "node:child_process";
import { TSPC, type Workspace } from "../../adapters/support/workspace";

export interface Watching {
  /** Times that it has gone to rest so far. */
  count(): number;
  /**
   * Resolves, with what was printed since it was last waited for, when it has gone to rest that many times in all.
   * @throws when it ends before that
   */
  rests(times: number): Promise<string>;
  /**
   * Resolves when each build that it has begun so far has ended; what was printed up to there is not given again. What a build has written can be seen before it says
   * that it has ended.
   * @throws when it ends before that
   */
  settles(): Promise<void>;
  stop(): Promise<void>;
}

const STARTS = /Starting (?:incremental )?compilation/g;
const AT_REST = /Found \d+ errors?\. Watching for file changes\./g;

export function watch(workspace: Workspace, ...args: string[]): Watching {
  const child: ChildProcess = spawn(process.execPath, [TSPC, ...args, "--watch", "--preserveWatchOutput"], {
    cwd: workspace.root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let seen = 0;
  let wake = (): void => {};
  const collect = (text: string): void => {
    output += text;
    wake();
  };
  child.stdout?.setEncoding("utf8").on("data", collect);
  child.stderr?.setEncoding("utf8").on("data", collect);
  child.on("exit", () => wake());
  const count = (): number => output.match(AT_REST)?.length ?? 0;
  const starts = (): number => output.match(STARTS)?.length ?? 0;
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) {
      if (child.exitCode !== null) throw new Error(`The compiler has ended:\n${output}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return {
    count,
    async rests(times) {
      await until(() => count() >= times);
      const text = output.slice(seen);
      seen = output.length;
      return text;
    },
    async settles() {
      await until(() => count() >= starts());
      seen = output.length;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill();
      await ended;
    },
  };
}
