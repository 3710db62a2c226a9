/** The pools that everything but blocking calls is compared with. */
export const peers = ["piscina", "tinypool", "workerpool", "poolifier"];
export const ours = "makeparallel";

/** Smallest value among results that `filter` takes; undefined if there is none. */
export function best(results, filter) {
  const values = results.filter((result) => result.value !== undefined && filter(result)).map((result) => result.value);
  return values.length > 0 ? Math.min(...values) : undefined;
}

export const isPeer = (result) => result.library !== ours;
export const isNative = (result) => result.library === ours && result.variant === "native";

/** How many times faster the native backend is than the best of the others. */
export function ratio(results, peerFilter = isPeer) {
  const native = best(results, isNative);
  const peer = best(results, peerFilter);
  return native === undefined || peer === undefined ? undefined : peer / native;
}
