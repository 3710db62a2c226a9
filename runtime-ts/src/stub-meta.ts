/** Static facts of a task that its stub carries, so that the caller's side never has to read the manifest. */
export interface StubMeta {
  /** `name` property of the stub. */
  name: string;
  /** `length` property of the stub. */
  length: number;
  /** 1: declared async. 2: generator. 4: a receiver (`this`) travels. */
  flags: number;
  /** Names of the captured locals, in the order of their values; for messages. */
  captures?: readonly string[];
  /** Of the instance that is `this`, the fields that the task uses; without: all travel. */
  fields?: UsedFields;
}

/** By id of the class. Of a subclass that is not listed those of the nearest above it, unless it has something of its own in the place of one. */
export type UsedFields = Readonly<Record<string, readonly string[]>>;

export const FLAG_ASYNC = 1;
export const FLAG_GENERATOR = 2;
export const FLAG_RECEIVER = 4;
