/** A binary heap: `pop` gives the least element by `compare`. */
export class Heap<T> {
  private readonly items: T[] = [];

  constructor(private readonly compare: (a: T, b: T) => number) {}

  get size(): number {
    return this.items.length;
  }

  get first(): T | undefined {
    return this.items[0];
  }

  /** Drops what `keep` refuses. */
  filter(keep: (item: T) => boolean): void {
    const kept = this.items.filter(keep);
    this.items.length = 0;
    for (const item of kept) this.push(item);
  }

  push(item: T): void {
    const { items, compare } = this;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (compare(items[parent]!, item) <= 0) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): T | undefined {
    const { items, compare } = this;
    const first = items[0];
    const last = items.pop();
    if (items.length === 0 || last === undefined) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && compare(items[child + 1]!, items[child]!) < 0) child++;
      if (compare(items[child]!, last) >= 0) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return first;
  }
}

/** First-in-first-out within one priority, higher priorities first. Priority 0 costs O(1). */
export class PriorityQueue<T> {
  private ring: (T | undefined)[] = [];
  private head = 0;
  private sequence = 0;
  private readonly others = new Heap<{ item: T; priority: number; sequence: number }>(
    (a, b) => b.priority - a.priority || a.sequence - b.sequence,
  );

  get size(): number {
    return this.ring.length - this.head + this.others.size;
  }

  push(item: T, priority: number): void {
    if (priority === 0) this.ring.push(item);
    else this.others.push({ item, priority, sequence: this.sequence++ });
  }

  peek(): T | undefined {
    const top = this.others.first;
    return top !== undefined && (top.priority > 0 || this.head === this.ring.length) ? top.item : this.ring[this.head];
  }

  pop(): T | undefined {
    const top = this.others.first;
    if (top !== undefined && (top.priority > 0 || this.head === this.ring.length)) return this.others.pop()!.item;
    if (this.head === this.ring.length) return undefined;
    const item = this.ring[this.head];
    this.ring[this.head++] = undefined;
    if (this.head === this.ring.length) {
      this.ring.length = 0;
      this.head = 0;
    } else if (this.head > 1024 && this.head * 2 > this.ring.length) {
      this.ring = this.ring.slice(this.head);
      this.head = 0;
    }
    return item;
  }
}
