/** Parts of a graph whose nodes all lead to each other. */

/** Strongly connected components, by Tarjan's algorithm, without recursion. Those that others lead to come first. */
export function components<T>(nodes: readonly T[], next: (node: T) => T[]): T[][] {
  const index = new Map<T, number>();
  const low = new Map<T, number>();
  const onStack = new Set<T>();
  const stack: T[] = [];
  const found: T[][] = [];
  for (const start of nodes) {
    if (index.has(start)) continue;
    const work: { node: T; children: T[]; at: number }[] = [];
    const open = (node: T): void => {
      index.set(node, index.size);
      low.set(node, index.get(node) as number);
      stack.push(node);
      onStack.add(node);
      work.push({ node, children: next(node), at: 0 });
    };
    open(start);
    while (work.length > 0) {
      const frame = work[work.length - 1] as { node: T; children: T[]; at: number };
      if (frame.at < frame.children.length) {
        const child = frame.children[frame.at++] as T;
        if (!index.has(child)) open(child);
        else if (onStack.has(child)) low.set(frame.node, Math.min(low.get(frame.node) as number, index.get(child) as number));
        continue;
      }
      work.pop();
      const parent = work[work.length - 1];
      if (parent) low.set(parent.node, Math.min(low.get(parent.node) as number, low.get(frame.node) as number));
      if (low.get(frame.node) !== index.get(frame.node)) continue;
      const component: T[] = [];
      for (;;) {
        const node = stack.pop() as T;
        onStack.delete(node);
        component.push(node);
        if (node === frame.node) break;
      }
      found.push(component);
    }
  }
  return found;
}
