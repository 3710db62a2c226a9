import { AsyncHandle, gather, parallel } from "makeparallel";

class DataProcessor {
  #calls = 0;

  constructor(private readonly factor: number) {}

  /** A method that runs elsewhere: what it needs of its instance travels along. */
  @parallel
  process(data: number[]): AsyncHandle<number[]> {
    return AsyncHandle.of(data.map((x) => this.scale(x)));
  }

  @parallel({ timeout: 5_000 })
  async total(data: number[]): Promise<number> {
    return data.reduce((sum, x) => sum + this.scale(x), 0);
  }

  private scale(x: number): number {
    return x * this.factor;
  }

  countCall(): number {
    return ++this.#calls;
  }
}

export async function classMethods(): Promise<string> {
  const processor = new DataProcessor(3);
  processor.countCall();
  const data = Array.from({ length: 1_000 }, (_, i) => i);
  const parts = await gather([processor.process(data.slice(0, 500)), processor.process(data.slice(500))]);
  const total = await processor.total(data);
  return `${parts.flat().length} numbers processed, last ${parts[1]?.at(-1)}, total ${total}`;
}
