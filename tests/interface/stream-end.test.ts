/** What a consumer sees of a stream whose generator ends while it looks. */
import { encodeValue } from "../../runtime-ts/src/codec";
import { ByteWriter } from "../../runtime-ts/src/codec/byte-writer";
import type { AsyncHandle } from "../../runtime-ts/src/handle";
import { RemoteSource } from "../../runtime-ts/src/stream";
import { StreamConsumer, StreamProducer } from "../../runtime-ts/src/stream-channel";

const job = { isCancelled: () => false, suspend() {}, setAside() {}, resume() {} };

/** Of a task whose settlement has not been told yet. */
const handle = {
  _settlement: 0,
  _quiet() {},
  _whenSettled() {},
  _observe() {},
  _tracePull() {},
  then: (resolve: (value: string) => void) => resolve("returned"),
} as unknown as AsyncHandle<unknown>;

function bytesOf(value: unknown): Uint8Array {
  const writer = new ByteWriter(new Uint8Array(64));
  encodeValue(writer, value);
  return writer.bytes.slice(0, writer.length);
}

test.each(["before", "after"])("values that come just %s a look for them are not lost, although the generator has ended", async (when) => {
  const channel = new StreamConsumer();
  const producer = new StreamProducer(channel.memory, job);
  const produce = (): void => {
    for (const value of [1, 2, 3]) producer.write(bytesOf(value));
    producer.end();
  };
  const take = channel.take.bind(channel);
  channel.take = () => {
    channel.take = take;
    if (when === "before") produce();
    const found = take();
    if (when === "after") produce();
    return found;
  };
  const source = new RemoteSource<number, string>(handle, channel);
  const seen: unknown[] = [];
  for (let next = await source.next(); ; next = await source.next()) {
    seen.push(next.value);
    if (next.done === true) break;
  }
  expect(seen).toEqual([1, 2, 3, "returned"]);
});
