import {
  type AsyncHandle,
  type FunctionStats,
  gather,
  parallel,
  type Percentiles,
  progressBar,
  type SavedTrace,
  stats,
  type TaskMessage,
  trace,
  type WorkerExitMessage,
} from "makeparallel";
import { is } from "./_same.js";

const length = parallel((text: string) => text.length);

const { queued, busy, threads, running, queueWait, runTime, functions } = stats();
is<number>()(queued + busy + threads + running);
is<Percentiles>()(queueWait);
is<number>()(runTime.p99);
is<Record<string, FunctionStats>>()(functions);

is<void>()(trace.start());
trace.start({ maxEvents: 1_000 });
is<Promise<SavedTrace>>()(trace.save("tasks.json"));
is<void>()(trace.stop());
// rejected: 'maxevents' does not exist in type
trace.start({ maxevents: 1 });
// rejected: Expected 1 arguments, but got 0
void trace.save();

is<AsyncHandle<number>>()(progressBar(length("a")));
is<AsyncHandle<number>[]>()(progressBar([length("a"), length("b")], { label: "measuring" }));
is<Promise<number[]>>()(gather(progressBar([length("a")])));
void progressBar(length.map(["a"]), { stream: process.stdout, piped: "silent" });
async function tagged(): Promise<string> {
  return "a tagged function's type";
}
is<Promise<string>>()(progressBar(tagged()));
// rejected: not assignable to
progressBar(5);
// rejected: not assignable to type
void progressBar(length("a"), { piped: "loud" });

const message: TaskMessage = { id: "a#b", name: "b", kind: "map" };
is<"idle" | "terminated" | "shutdown" | "crashed">()(({} as WorkerExitMessage).reason);
void message;
