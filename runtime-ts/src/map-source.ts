/**
 * Where the items of a `map` come from: an array or typed array, an iterable, or an async iterable. Items are read when there is room for them, not before.
 *
 * An async source is read ahead into a buffer until it holds what has been asked for; what is there is given out earlier when the source lets a whole turn of the
 * event loop pass, so that items that come slowly do not wait for each other.
 */
import { inspect } from "node:util";
import type { MapItems } from "./types";
import { clearImmediate, setImmediate } from "./own-clock";

/** Some of the items: those of `items` from `from` to `to`. */
export interface MapPart {
  items: ArrayLike<unknown>;
  from: number;
  to: number;
}

export class MapSource {
  /** Number of items, where it is known from the start. */
  readonly total: number | undefined = undefined;
  private readonly array: ArrayLike<unknown> | undefined;
  private readonly iterator: Iterator<unknown> | undefined;
  private readonly asyncIterator: AsyncIterator<unknown> | undefined;
  private at = 0;
  /** The source has said that it has no more, or is not to be asked again. */
  private ended = false;

  private buffer: unknown[] = [];
  /** What is in the buffer is to be taken. */
  private ripe = false;
  private wanted = 0;
  private reading = false;
  private turn: NodeJS.Immediate | undefined;

  /**
   * @param onItems called on the event loop when an async source has items, or has ended
   * @param onError called with what an async source has thrown
   * @throws TypeError for what can't be iterated
   */
  constructor(
    items: MapItems<unknown>,
    name: string,
    private readonly onItems: () => void,
    private readonly onError: (error: unknown) => void,
  ) {
    if (Array.isArray(items) || (ArrayBuffer.isView(items) && !(items instanceof DataView))) {
      this.array = items as unknown as ArrayLike<unknown>;
      this.total = this.array.length;
      this.ended = this.total === 0;
    } else if (typeof (items as Iterable<unknown> | undefined)?.[Symbol.iterator] === "function") {
      this.iterator = (items as Iterable<unknown>)[Symbol.iterator]();
    } else if (typeof (items as AsyncIterable<unknown> | undefined)?.[Symbol.asyncIterator] === "function") {
      this.asyncIterator = (items as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    } else {
      throw new TypeError(`${name}.map() takes an array, a typed array or something iterable.`);
    }
  }

  /** No item is left. */
  get exhausted(): boolean {
    return this.ended && this.buffer.length === 0;
  }

  /** True while items come only from the event loop. */
  get waits(): boolean {
    return this.asyncIterator !== undefined && !this.exhausted;
  }

  /** Items left, where their number is known. */
  get left(): number | undefined {
    return this.total === undefined ? undefined : this.total - this.at;
  }

  /**
   * The next items, `size` at most; none when there are none, or none yet.
   * @throws what the source throws
   */
  take(size: number): MapPart {
    if (this.array !== undefined) return this.takeFromArray(this.array, size);
    if (this.iterator !== undefined) return whole(this.takeFromIterator(this.iterator, size));
    if (!this.ripe) return whole([]);
    const items = this.buffer.splice(0, size);
    this.ripe = this.buffer.length > 0;
    return whole(items);
  }

  /** For an async source: reads until `size` items are there. */
  request(size: number): void {
    if (this.asyncIterator === undefined || this.ended) return;
    this.wanted = size;
    if (!this.reading) void this.read();
  }

  /** What has been read so far is to be taken now: no turn of the event loop will come. */
  flush(): void {
    this.ripe = this.buffer.length > 0;
  }

  /** No more items are wanted; the source is told. What it throws then is nobody's concern any more. */
  close(): void {
    this.buffer = [];
    clearImmediate(this.turn);
    if (this.ended) return;
    this.ended = true;
    try {
      this.iterator?.return?.();
      Promise.resolve(this.asyncIterator?.return?.()).catch(() => undefined);
    } catch {
      // An error has ended the map already, or whoever iterated it has left.
    }
  }

  private takeFromArray(array: ArrayLike<unknown>, size: number): MapPart {
    const from = this.at;
    // It may have been made shorter since.
    const end = Math.min(this.total!, array.length);
    const to = Math.max(from, Math.min(end, from + size));
    this.at = to;
    if (to >= end) this.ended = true;
    // A view would take its whole buffer along.
    return Array.isArray(array) ? { items: array, from, to } : whole((array as Uint8Array).slice(from, to));
  }

  private takeFromIterator(iterator: Iterator<unknown>, size: number): unknown[] {
    const items: unknown[] = [];
    while (items.length < size && !this.ended) {
      let next: IteratorResult<unknown>;
      try {
        next = checkedResult(iterator.next());
      } catch (error) {
        this.ended = true;
        throw error;
      }
      if (next.done === true) this.ended = true;
      else items.push(next.value);
    }
    return items;
  }

  private async read(): Promise<void> {
    this.reading = true;
    try {
      while (!this.ended && this.buffer.length < this.wanted) {
        const next = checkedResult(await this.asyncIterator!.next());
        // It has been closed meanwhile.
        if (this.ended) return;
        if (next.done === true) this.ended = true;
        else this.buffer.push(next.value);
        if (this.ended || this.buffer.length >= this.wanted) this.ripen();
        else this.turn ??= setImmediate(() => this.ripen());
      }
    } catch (error) {
      if (this.ended) return;
      this.ended = true;
      this.onError(error);
    } finally {
      this.reading = false;
    }
  }

  private ripen(): void {
    clearImmediate(this.turn);
    this.turn = undefined;
    this.ripe = this.buffer.length > 0;
    this.wanted = 0;
    this.onItems();
  }
}

/** As a loop would. @throws TypeError for what is no object: its missing `done` would never be true */
function checkedResult(result: IteratorResult<unknown>): IteratorResult<unknown> {
  if ((typeof result !== "object" && typeof result !== "function") || result === null)
    throw new TypeError(`The source of a map gave ${inspect(result)} as the result of next(), which is no object.`);
  return result;
}

function whole(items: ArrayLike<unknown>): MapPart {
  return { items, from: 0, to: items.length };
}
