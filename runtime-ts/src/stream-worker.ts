/** The worker's side of a parallel generator: runs it and writes what it yields into the channel. The task's result is the generator's return value. */
import { ByteWriter, encodeValue } from "./codec";
import { TransferError } from "./errors";
import { type Suspendable, StreamProducer } from "./stream-channel";

const HOME_BYTES = 4096;

/** The job that the generator runs in. */
interface StreamJob extends Suspendable {
  readonly info: { readonly name: string };
}

/**
 * @param fn the generator function
 * @param args the call's own arguments, then the channel's memory
 */
export function runStream(fn: Function, receiver: unknown, args: readonly unknown[], job: StreamJob): unknown {
  const producer = new StreamProducer(args.at(-1) as SharedArrayBuffer, job);
  const generator = fn.apply(receiver, args.slice(0, -1)) as Generator<unknown> | AsyncGenerator<unknown>;
  const writer = new ByteWriter(new Uint8Array(HOME_BYTES));
  const encode = (value: unknown): Uint8Array => {
    writer.reset();
    encodeValue(writer, value);
    if (writer.attachments !== null)
      throw new TransferError(`${job.info.name} yields moved or shared memory, which a stream does not carry.`, { path: "yield" });
    return writer.bytes.subarray(0, writer.length);
  };
  return Symbol.asyncIterator in generator ? runAsync(generator, producer, encode) : runSync(generator, producer, encode);
}

/** Goes on as far as there is room in the channel, then asynchronously. */
function runSync(generator: Generator<unknown>, producer: StreamProducer, encode: (value: unknown) => Uint8Array): unknown {
  let wait: Promise<boolean> | undefined;
  try {
    for (;;) {
      const next = generator.next();
      if (next.done === true) return next.value;
      let open: boolean | Promise<boolean> = false;
      try {
        open = producer.write(encode(next.value));
      } finally {
        // Cancelled, or a value that can't cross: the generator's own `finally` blocks run.
        if (open === false) generator.return(undefined);
      }
      if (open === false) return undefined;
      if (open !== true) return resume((wait = open), generator, producer, encode);
    }
  } finally {
    if (wait === undefined) producer.end();
  }
}

async function resume(
  wait: Promise<boolean>,
  generator: Generator<unknown>,
  producer: StreamProducer,
  encode: (value: unknown) => Uint8Array,
): Promise<unknown> {
  let open = false;
  try {
    open = await wait;
    if (!open) generator.return(undefined);
  } finally {
    if (!open) producer.end();
  }
  return open ? runSync(generator, producer, encode) : undefined;
}

async function runAsync(
  generator: AsyncGenerator<unknown>,
  producer: StreamProducer,
  encode: (value: unknown) => Uint8Array,
): Promise<unknown> {
  try {
    for (;;) {
      const next = await generator.next();
      if (next.done === true) return next.value;
      let open = false;
      try {
        open = await producer.write(encode(next.value));
      } finally {
        if (!open) await generator.return(undefined);
      }
      if (!open) return undefined;
    }
  } finally {
    producer.end();
  }
}
