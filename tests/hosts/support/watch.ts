/** A compiler that watches, as a child process. */
import { type ChildProcess, spawn } from "node:child_process";
import { TSPC, type Workspace } from "../../adapters/support/workspace";

export interface Watching {
  /** Times that it has gone to rest so far. */
  count(): number;
  /** All that it has printed since the last call of `rests`. */
  recent(): string;
  /**
   * Resolves, with what was printed meanwhile, when it has gone to rest that many times in all.
   * @throws when it ends before that
   */
  rests(times: number): Promise<string>;
  stop(): Promise<void>;
}

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
  const recent = (): string => output.slice(seen);
  return {
    count,
    recent,
    async rests(times) {
      while (count() < times) {
        if (child.exitCode !== null) throw new Error(`The compiler has ended:\n${output}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
      const text = recent();
      seen = output.length;
      return text;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill();
      await ended;
    },
  };
}
