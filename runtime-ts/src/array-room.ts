/** Longer arrays are not preallocated: beyond 2^25 elements the engine makes them dictionaries, which takes twice as long as growing. */
const LONGEST = 1 << 24;

/** Whether room may be made beforehand for so many elements. */
export function hasRoom(length: number): boolean {
  return length <= LONGEST;
}

/** An array that is going to be filled in order, with room for `length` elements where room may be made beforehand. */
export function arrayFor<T>(length: number): T[] {
  return hasRoom(length) ? new Array<T>(length) : [];
}
