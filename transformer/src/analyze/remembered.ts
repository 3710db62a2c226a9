/** The map's value, found and put there when the key is not there yet. `undefined` is a value as well. */
export function remembered<Key, Value>(map: Map<Key, Value>, key: Key, find: () => Value): Value {
  let value = map.get(key);
  if (value === undefined && !map.has(key)) map.set(key, (value = find()));
  return value as Value;
}
