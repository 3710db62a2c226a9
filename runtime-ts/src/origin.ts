/**
 * What a handle knows of the function behind it, and what becomes of a handle that is posted to another thread.
 *
 * The structured clone algorithm (`postMessage`, `structuredClone`, `v8.serialize`, `workerData`) copies an object's own properties one by one, and knows nothing of its class: a settled
 * handle would become a plain object. Node's own mark for what must not be cloned came with 22.10, and costs each object a property. So the first property of
 * every handle is its origin, whose first property is a getter that throws: the algorithm meets it before anything else, in every state, and handles are as small as before.
 */
import { TransferError } from "./errors";
import type { FunctionRecord } from "./metrics";

const POSTED: PropertyDescriptor & ThisType<HandleOrigin> = {
  enumerable: true,
  get() {
    throw new TransferError(
      `The handle of ${this.name} cannot be posted to another thread or cloned: it belongs to the thread that made the call. Await it and send its value, or pass it to a parallel function as an argument.`,
      { task: this.name, path: "handle" },
    );
  },
};

/** The function behind a handle, for messages. */
export abstract class HandleOrigin {
  abstract readonly id: string;
  abstract readonly name: string;
  /** Where its outcome is counted. */
  abstract readonly record: FunctionRecord | undefined;

  constructor() {
    Object.defineProperty(this, "_posted", POSTED);
  }
}

/** That of a handle which no call of the function itself stands for, or of a call with a name of its own. */
export class NamedOrigin extends HandleOrigin {
  constructor(
    readonly id: string,
    readonly name: string,
    readonly record: FunctionRecord | undefined = undefined,
  ) {
    super();
  }
}
