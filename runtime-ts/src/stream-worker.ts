/** The worker's side of a parallel generator: runs it and writes what it yields into the channel. The task's result is the generator's return value. */
import { ByteWriter, encodeValue } from "./codec";
import { TransferError } from "./errors";
import type { JobContext } from "./inside";
import { StreamProducer } from "./stream-channel";

const HOME_BYTES = 4096;

/**
 * @param fn the generator function
 * @param args the channel's memory, then the call's own arguments
 */
export function runStream(fn: Function, receiver: unknown, args: readonly unknown[], context: JobContext): unknown {
  const producer = new StreamProducer(args[0] as SharedArrayBuffer);
  const generator = fn.apply(receiver, args.slice(1)) as Generator<unknown> | AsyncGenerator<unknown>;
  const writer = new ByteWriter(new Uint8Array(HOME_BYTES));
  const encode = (value: unknown): Uint8Array => {
    writer.reset();
    encodeValue(writer, value);
    if (writer.attachments !== null)
      throw new TransferError(`${context.info.name} yields moved or shared memory, which a stream does not carry.`, { path: "yield" });
    return writer.bytes.subarray(0, writer.length);
  };
  return Symbol.asyncIterator in generator ? runAsync(generator, producer, encode) : runSync(generator, producer, encode);
}

function runSync(generator: Generator<unknown>, producer: StreamProducer, encode: (value: unknown) => Uint8Array): unknown {
  try {
    for (;;) {
      const next = generator.next();
      if (next.done === true) return next.value;
      let open = false;
      try {
        open = producer.writeSync(encode(next.value));
      } finally {
        // Cancelled, or a value that can't cross: the generator's own `finally` blocks run.
        if (!open) generator.return(undefined);
      }
      if (!open) return undefined;
    }
  } finally {
    producer.end();
  }
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
