import { gather, parallel, TimeoutError } from "makeparallel";

class InvalidOrderError extends Error {
  override readonly name = "InvalidOrderError";
  constructor(readonly order: number) {
    super(`Order ${order} has no items`);
  }
}

interface Order {
  id: number;
  prices: number[];
}

const total = parallel({ timeout: 2_000 }, (order: Order) => {
  if (order.prices.length === 0) throw new InvalidOrderError(order.id);
  while (order.prices.includes(Infinity)); // a bug that never ends
  return order.prices.reduce((sum, price) => sum + price, 0);
});

/** Some tasks fail, one never ends: the others are not touched, and each failure arrives as what it is. */
export async function faultTolerance(): Promise<string> {
  const orders: Order[] = Array.from({ length: 20 }, (_, id) => ({ id, prices: id % 7 === 3 ? [] : [id, 10, 5] }));
  const endless = total.with({ timeout: 200, grace: 50 })({ id: 20, prices: [Infinity] });

  const handles = orders.map((order) => total(order));
  const settled = await gather(handles, { onError: "settle" });
  const good = settled.filter((outcome) => outcome.status === "fulfilled").length;
  const bad = settled.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
  const named = bad.filter((error) => error instanceof InvalidOrderError).map((error) => error.order);

  const stopped = await endless.then(
    () => false,
    (error: unknown) => error instanceof TimeoutError,
  );
  return `${good} fulfilled, ${bad.length} rejected (InvalidOrderError for ${named.join(", ")}), endless loop stopped: ${stopped}`;
}
