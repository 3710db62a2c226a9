import { isDeepStrictEqual } from "node:util";
import { stats } from "makeparallel";
import { progressBar } from "../terminal.js";
import { findFiles } from "./files.js";
import { measureSource, type SourceMeasure } from "./measure.js";
import { renderDocument, type RenderedDocument } from "./render.js";

export interface Outcome {
  documents: number;
  sources: number;
  megabytes: number;
  totals: { headings: number; lines: number; tokens: number; interfaces: number };
  /** Seconds. */
  serial: number;
  parallel: number;
  equal: boolean;
  backend: string;
  threads: number;
}

interface Results {
  documents: RenderedDocument[];
  sources: SourceMeasure[];
}

/** Renders and measures every file below a folder, on this thread and then on all cores, and compares. */
export async function report(folder: string): Promise<Outcome> {
  const found = findFiles(folder);
  const files = found.documents.length + found.sources.length;

  const serial = await timed("one thread", files, async (tick) => {
    const results: Results = { documents: [], sources: [] };
    for (const file of found.documents) {
      results.documents.push(await renderDocument.local(file));
      tick(1);
    }
    for (const file of found.sources) {
      results.sources.push(measureSource.local(file));
      tick(1);
    }
    return results;
  });

  const parallel = await timed("all cores", files, async (tick) => {
    const [documents, sources] = await Promise.all([
      renderDocument.map(found.documents, { onProgress: counter(tick) }),
      measureSource.map(found.sources, { onProgress: counter(tick) }),
    ]);
    return { documents, sources };
  });

  const { documents, sources } = parallel.results;
  const { backend, threads } = stats();
  return {
    documents: documents.length,
    sources: sources.length,
    megabytes: found.bytes / 1e6,
    totals: {
      headings: sum(documents, (document) => document.headings.length),
      lines: sum(sources, (source) => source.lines),
      tokens: sum(sources, (source) => source.tokens),
      interfaces: sum(sources, (source) => source.declarations.get("InterfaceDeclaration") ?? 0),
    },
    serial: serial.seconds,
    parallel: parallel.seconds,
    equal: isDeepStrictEqual(serial.results, parallel.results),
    backend,
    threads,
  };
}

/** A progress callback for `map` that passes on how many items have been added since the last time. */
function counter(tick: (count: number) => void): (fraction: number, done: number) => void {
  let before = 0;
  return (_fraction, done) => {
    tick(done - before);
    before = done;
  };
}

/** Runs the work with a progress bar that `tick` moves, and takes its time. */
async function timed(
  label: string,
  total: number,
  work: (tick: (count: number) => void) => Promise<Results>,
): Promise<{ results: Results; seconds: number }> {
  const bar = progressBar(label, total);
  const start = performance.now();
  try {
    const results = await work((count) => bar?.increment(count));
    return { results, seconds: (performance.now() - start) / 1000 };
  } finally {
    bar?.stop();
  }
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
