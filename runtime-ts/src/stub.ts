/**
 * What emitted stubs call: `import * as __mp from "makeparallel/internal"`. The transformer and this file are released together; nobody else
 * uses it.
 */

/** Static facts of a task that the stub carries, so that the caller's side never has to read the manifest. */
export interface StubMeta {
  /** `name` property of the stub. */
  name: string;
  /** `length` property of the stub. */
  length: number;
  /** 1: declared async. 2: generator. 4: a receiver (`this`) travels. */
  flags: number;
}
