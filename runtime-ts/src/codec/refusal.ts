/**
 * How encoding fails: a {@link Refusal} is thrown where a value can't cross, gathers its path while it unwinds through the containers, and is made a
 * TransferError at the top. Success pays nothing for it, and no getter runs twice.
 */
import { TransferError } from "../errors";

export class Refusal {
  /** Innermost first. */
  readonly segments: string[] = [];

  /**
   * @param reason follows "args[0].x cannot be sent: "
   * @param whole it is said of the whole value, wherever in it that has come out
   */
  constructor(
    public reason: string,
    readonly whole = false,
  ) {}
}

/** Of a function. What it belongs to says more about it to somebody who has not written it. */
export class FunctionRefusal extends Refusal {
  constructor(
    private readonly what: string,
    wayOut: string,
  ) {
    super(`${what}${wayOut}`);
  }

  /** @param holder `a MarkdownIt`: an object around the function, the outermost last */
  within(holder: string, wayOut: string): void {
    this.reason = `${this.what} that belongs to ${holder}. ${wayOut}`;
  }
}

/** @returns a Refusal on its way up, which has got one more segment; anything else (an error of a getter) stays as it is */
export function located(thrown: unknown, segment: string): unknown {
  const error = unreadable(thrown);
  if (error instanceof Refusal && !error.whole) error.segments.push(segment);
  return error;
}

/** What the engine throws at every touch of a revoked proxy says nothing of where it is: it becomes a Refusal, which does. */
export function unreadable(thrown: unknown): unknown {
  const revoked = thrown instanceof TypeError && /proxy that has been revoked|revoked proxy/i.test(thrown.message);
  return revoked ? new Refusal(`it can't be read (${thrown.message})`) : thrown;
}

/** `.name`, or `["not a name"]`. */
export function propertySegment(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** `.get("key")`, or a position when the key has no short text. */
export function mapValueSegment(key: unknown, position: number): string {
  switch (typeof key) {
    case "string":
      return key.length <= 40 ? `.get(${JSON.stringify(key)})` : ` (map value ${position})`;
    case "number":
    case "boolean":
    case "undefined":
      return `.get(${String(key)})`;
    case "bigint":
      return `.get(${String(key)}n)`;
    default:
      return key === null ? ".get(null)" : ` (map value ${position})`;
  }
}

export function toTransferError(refusal: Refusal, root: string): TransferError {
  const path = root + refusal.segments.reverse().join("");
  return new TransferError(`${path} cannot be sent to another thread: ${refusal.reason}`, { path });
}

/** The engine's stack was not enough (some containers of errors are encoded by recursion). */
export function isStackOverflow(thrown: unknown): boolean {
  return thrown instanceof RangeError && /call stack/i.test(thrown.message);
}
