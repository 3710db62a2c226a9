/** Source maps that slices bring along at their end, where their text alone does not tell where it comes from. */

const INLINE_MAP = /\n\/\/# sourceMappingURL=data:application\/json(?:;charset=utf-8)?;base64,([A-Za-z0-9+/=]+)\s*$/;

export interface RawMap {
  sources: string[];
  sourcesContent?: unknown;
}

const remapping = require("@jridgewell/remapping") as (map: unknown, load: () => unknown) => RawMap;

/** @returns the text without its map, and the map */
export function takeMap(contents: string): { text: string; map: RawMap | undefined } {
  const found = INLINE_MAP.exec(contents);
  if (!found) return { text: contents, map: undefined };
  return { text: contents.slice(0, found.index), map: JSON.parse(Buffer.from(found[1], "base64").toString("utf8")) as RawMap };
}

export function withMap(text: string, map: RawMap): string {
  return `${text}\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString("base64")}\n`;
}

/** @param inner of the one source of `outer`, if that has a map */
export function composed(outer: RawMap, inner: RawMap | undefined): RawMap {
  if (!inner) return outer;
  let isOuter = true;
  return remapping(outer, () => {
    // The inner map's source has the same name, and no map beneath it.
    const found = isOuter ? inner : null;
    isOuter = false;
    return found;
  });
}

/**
 * Puts text before the first line's, with positions kept.
 * @param source what a map calls the module
 */
export async function withTextBefore(contents: string, before: string, source: string): Promise<string> {
  const { text, map } = takeMap(contents);
  if (!map && /^[ \t]*\n/.test(text)) return before + text;
  const { default: MagicString } = await import("magic-string");
  const output = new MagicString(text).prepend(`${before} `);
  return withMap(output.toString(), composed({ ...output.generateMap({ source, hires: "boundary" }) }, map));
}
