/**
 * Says whether what became of a task is one of the things that may become of it.
 *
 * What the outcome of a task depends on is known from the plan, apart from what races: whether a cancellation comes before the end, and whether a worker that
 * ends takes others' tasks along. Where nothing races there is one outcome, which has to match exactly.
 */
import { inspect, isDeepStrictEqual } from "node:util";
import type { Failure, Outcome, Result } from "./outcome";
import { ENDED, LONG, STARTED, tasksOf, WORDS, type Operation, type RoundPlan, type TaskPlan, type ThrownKind } from "./plan";
import { digest, make } from "./values";

/** Where a task is. */
interface Place {
  nested: boolean;
  /** Outcomes of its siblings, by id. */
  siblings: ReadonlyMap<number, Outcome>;
  /** It, or one around it, may run more than once. */
  repeated: boolean;
  /** Something else may cancel it: its scope, the end of the pool. */
  cancelledBy?: "scope" | "shutdown";
}

export class Oracle {
  readonly problems: string[] = [];
  /** A worker may end under some task. */
  private readonly kills: boolean;
  private readonly nests: boolean;

  constructor(
    private readonly round: RoundPlan,
    private readonly board: Int32Array,
  ) {
    const tasks = [...tasksOf(round)];
    this.kills = round.operations.some(cancels) || tasks.some(({ task }) => mayEndWorker(task));
    this.nests = tasks.some(({ nested, task }) => nested || task.ending.kind === "stream" || task.ending.kind === "map");
  }

  /** Checks one task, and in its result those that it pushed. */
  check(task: TaskPlan, outcome: Outcome, place: Place): void {
    if (outcome.state === "dropped") return;
    if (outcome.late !== undefined) this.say(task, outcome.late);
    const repeated = place.repeated || task.retry !== undefined;
    const started = this.count(task.id, STARTED);
    if (!repeated && started > 1) this.say(task, `ran ${started} times`);
    if (outcome.state === "fulfilled") this.checkResult(task, outcome.result, outcome.cancelled, place, repeated, started);
    else this.checkFailure(task, outcome.failure, outcome.status, outcome.cancelled, place, repeated, started);
  }

  /** A problem that concerns no single task. */
  report(problem: string): void {
    this.problems.push(problem);
  }

  /** Whether tasks of this kind may be lost with a worker that ends under another one. */
  mayBeTakenAlong(nested: boolean, staysOpen: boolean): boolean {
    return this.kills && this.nests && (nested || staysOpen);
  }

  /** Whether streams may be: while one waits for its consumer, its worker runs any other task, and may end under it. */
  mayLoseStreams(): boolean {
    return this.kills;
  }

  private checkResult(
    task: TaskPlan,
    result: Result,
    cancelled: boolean | undefined,
    place: Place,
    repeated: boolean,
    started: number,
  ): void {
    if (!mayFulfil(task)) this.say(task, "was fulfilled");
    if (cancelled === true) this.say(task, "was fulfilled although cancel() returned true");
    if (task.signal?.at === "before") this.say(task, "was fulfilled although its signal had been aborted");
    if (typeof result !== "object" || result === null || result.id !== task.id) {
      this.say(task, `got the result of another: ${JSON.stringify(result)}`);
      return;
    }
    if (!repeated && (started !== 1 || this.count(task.id, ENDED) !== 1)) {
      this.say(task, `was fulfilled, and started ${started} times and ended ${this.count(task.id, ENDED)} times`);
    }
    if (!isDeepStrictEqual(result.value, make(task.value)))
      this.say(task, `gave another value than it got: ${inspect(result.value)} for ${inspect(make(task.value))}`.slice(0, 1_000));
    const inputs = task.inputs.map((id) => place.siblings.get(id));
    for (const id of [...task.inputs, ...task.after]) {
      if (place.siblings.get(id)?.state === "failed") this.say(task, `was fulfilled, although ${id} that it waits for failed`);
    }
    inputs.forEach((input, i) => {
      if (input?.state === "fulfilled" && digest(input.result) !== result.inputs[i]) this.say(task, `got another value from ${input.id}`);
    });
    if (result.inputs.length !== task.inputs.length) this.say(task, `got ${result.inputs.length} inputs of ${task.inputs.length}`);
    this.checkRuns(task, true, place, started);
    const siblings = new Map(result.children.map((child) => [child.id, child]));
    if (siblings.size !== task.children.length) this.say(task, `has ${siblings.size} of ${task.children.length} children`);
    for (const child of task.children) {
      const outcome = siblings.get(child.id);
      if (outcome !== undefined) this.check(child, outcome, { nested: true, siblings, repeated });
    }
  }

  private checkFailure(
    task: TaskPlan,
    failure: Failure,
    status: string,
    cancelled: boolean | undefined,
    place: Place,
    repeated: boolean,
    started: number,
  ): void {
    const said = `failed with ${failure.name} (${failure.message})`;
    if (cancelled === true && failure.code !== "MP_CANCELLED") {
      this.say(task, `${said} although cancel() returned true`);
    }
    if ((status === "cancelled") !== (failure.code === "MP_CANCELLED" && !this.isOwn(task, failure)) && !this.isOwn(task, failure)) {
      this.say(task, `${said} with the status ${status}`);
    }
    switch (failure.code) {
      case "MP_CANCELLED": {
        if (cancelled === false && place.cancelledBy === undefined && task.signal === undefined)
          this.say(task, `${said} although cancel() returned false`);
        const reason = task.cancel !== undefined || task.signal !== undefined;
        if (!reason && place.cancelledBy === undefined) this.say(task, `${said}, which nobody asked for`);
        if (task.cancel?.at === "settled" && task.signal === undefined && place.cancelledBy === undefined)
          this.say(task, `${said} after it had settled`);
        if (
          place.cancelledBy === undefined &&
          failure.cause?.message !== `cancel ${task.id}` &&
          failure.cause?.message !== `abort ${task.id}`
        ) {
          this.say(task, `${said} without its reason: ${JSON.stringify(failure.cause)}`);
        }
        if (task.signal?.at === "before" && started > 0) this.say(task, `${said} but ran`);
        return;
      }
      case "MP_TIMEOUT":
        if (task.timeout === undefined || task.timeout >= LONG) this.say(task, `${said}, which it has no time limit for`);
        return;
      case "MP_DEPENDENCY": {
        const failed = [...task.inputs, ...task.after]
          .map((id) => place.siblings.get(id))
          .filter((outcome) => outcome?.state !== "fulfilled");
        if (failed.length === 0) this.say(task, `${said}, but all that it waits for was fulfilled`);
        const known = failed.every((outcome) => outcome?.state === "failed");
        const blamed = failed.filter((outcome) => outcome?.state !== "failed" || isDeepStrictEqual(outcome.failure, failure.cause));
        const blames = named(failure);
        if (known && blames !== undefined && !blamed.some((outcome) => outcome!.id === blames))
          this.say(task, `${said}, but that one has not failed so`);
        if (known && blamed.length === 0) {
          this.say(task, `${said} with another cause than its dependency's: ${JSON.stringify(failure.cause)}`);
        }
        if (started > 0 && !place.repeated) this.say(task, `${said} but ran`);
        return;
      }
      case "MP_WORKER_CRASHED":
        this.checkCrash(task, failure, place, said);
        return;
      default:
        if (!this.isOwn(task, failure)) this.say(task, `${said}${JSON.stringify(failure)}, which is not its own error`);
        else if (!repeated && started !== 1) this.say(task, `${said} and started ${started} times`);
        this.checkRuns(task, false, place, started);
    }
  }

  private checkCrash(task: TaskPlan, failure: Failure, place: Place, said: string): void {
    const { ending } = task;
    const alone = !this.mayBeTakenAlong(place.nested, staysOpen(task));
    if (alone && !endsItsWorker(task) && place.cancelledBy !== "shutdown")
      this.say(task, `${said}, but nothing in the round ends its worker`);
    if (!alone) return;
    if (ending.kind === "exit" && failure.exitCode !== ending.code) this.say(task, `${said} instead of exit code ${ending.code}`);
    if ((ending.kind === "uncaught" || ending.kind === "unhandled") && failure.cause?.message !== `${ending.kind} in ${task.id}`) {
      this.say(task, `${said} without its cause: ${JSON.stringify(failure.cause)}`);
    }
  }

  /** A flaky task has run as often as `retry` says. */
  private checkRuns(task: TaskPlan, fulfilled: boolean, place: Place, started: number): void {
    const { ending, retry } = task;
    if (ending.kind !== "flaky" || retry === undefined || place.repeated || this.mayBeTakenAlong(place.nested, staysOpen(task))) return;
    const enough = retry.attempts > ending.failures;
    // Where the next delay would pass the time limit, the failure at hand is the last.
    const limited = task.timeout !== undefined && task.timeout < LONG;
    if (!fulfilled && limited && started <= Math.min(retry.attempts, ending.failures)) return;
    if (fulfilled !== enough)
      this.say(task, `${fulfilled ? "was fulfilled" : "failed"} with ${retry.attempts} runs for ${ending.failures} failures`);
    const expected = enough ? ending.failures + 1 : retry.attempts;
    if (started !== expected) this.say(task, `ran ${started} times instead of ${expected}`);
  }

  private isOwn(task: TaskPlan, failure: Failure): boolean {
    const { ending } = task;
    if (ending.kind === "error") return isThrown(ending.error, task.id, failure);
    return ending.kind === "flaky" && ending.how === "throw" && isThrown("range", task.id, failure);
  }

  private count(id: number, word: number): number {
    return Atomics.load(this.board, id * WORDS + word);
  }

  private say(task: TaskPlan, problem: string): void {
    this.problems.push(`task ${task.id} ${problem}`);
  }
}

/** Which task a DependencyError names, if that one has been given a name. */
function named({ message }: Failure): number | undefined {
  const match = /because n(\d+) that it waits for failed\.$/.exec(message);
  return match === null ? undefined : Number(match[1]);
}

/**
 * Whether the program gives up tasks that run, by no word in their plans. They end soon, but the grace period is some ms of a clock that goes on while a loaded machine
 * runs something else.
 */
function cancels(operation: Operation): boolean {
  switch (operation.kind) {
    case "stream":
      return operation.take < operation.count;
    case "map":
      return operation.look === "break" || operation.look === "cancel" || operation.failAt >= 0;
    case "memo":
      return operation.cancels.length > 0;
    case "scope":
      // Where one fails, the others are cancelled.
      return operation.fails || operation.cancels || operation.tasks.length > 1;
    default:
      return false;
  }
}

function mayFulfil({ ending }: TaskPlan): boolean {
  switch (ending.kind) {
    case "error":
    case "forever":
    case "hang":
    case "exit":
    case "uncaught":
    case "unhandled":
    case "memory":
      return false;
    case "cooperate":
      // Told to end, it may do so before the one who told it has settled it.
      return false;
    default:
      return true;
  }
}

/** By itself. */
export function endsItsWorker({ ending }: TaskPlan): boolean {
  return ["exit", "uncaught", "unhandled", "memory"].includes(ending.kind) || (ending.kind === "flaky" && ending.how === "exit");
}

/** By itself, or because it goes on for longer than `grace` after it was cancelled. */
function mayEndWorker(task: TaskPlan): boolean {
  return (
    endsItsWorker(task) || task.cancel !== undefined || task.signal !== undefined || (task.timeout !== undefined && task.timeout < LONG)
  );
}

/** Other tasks may run on its worker before it has ended. */
function staysOpen(task: TaskPlan): boolean {
  return task.async || task.form === "tag" || task.children.length > 0;
}

export function isThrown(kind: ThrownKind, id: number, failure: Failure): boolean {
  switch (kind) {
    case "range":
      return failure.name === "RangeError" && failure.message === `task ${id} fails` && failure.cause?.message === `because of ${id}`;
    case "own":
      return failure.name === "StressError" && failure.message === `task ${id} fails` && failure.task === id;
    case "text":
      return failure.name === "string" && failure.message === `task ${id} fails`;
    case "nothing":
      return failure.name === "undefined";
    case "overflow":
      return failure.name === "RangeError" && /call stack/.test(failure.message);
  }
}
