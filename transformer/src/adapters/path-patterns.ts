/**
 * Patterns for absolute paths, in the regular expressions that JavaScript and Go (esbuild) both have: without lookahead, so that "not this name" has to be
 * spelled out.
 */

const SEPARATOR = "[\\\\/]";
const CHARACTER = "[^\\\\/]";
const SOURCE_NAME = `${CHARACTER}*\\.[cm]?[jt]sx?`;
const SOURCE_PATH = new RegExp(`${SOURCE_NAME}$`);

/** Names of folders that hold packages. */
export const packageSegments: readonly string[] = ["node_modules"];

/** A pattern that matches the text itself. */
export function textOf(text: string): string {
  return text.replace(/[^\w\u0080-\uffff]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** Sources with none of the given folders on their path. */
export function sourcesBut(folders: readonly string[]): RegExp {
  return new RegExp(`^${CHARACTER}*(?:${SEPARATOR}${nameBut(folders)})*${SEPARATOR}${SOURCE_NAME}$`);
}

/** The same, of those below one of several folders. */
export function sourcesIn(within: readonly string[], folders: readonly string[]): RegExp {
  return new RegExp(`^(?:${within.map(textOf).join("|")})(?:${SEPARATOR}${nameBut(folders)})*${SEPARATOR}${SOURCE_NAME}$`);
}

/** Groups within groups: Go reads a thousand levels, of which each character of the folder's path takes two. */
const LONGEST = 400;

/**
 * The same, of those that are not below a folder.
 *
 * esbuild tries the pattern on every file, nearly all of which are below the folder. So it follows the folder's path character by character, where one look tells
 * whether a path leaves it: Go takes a fifth of the time of an alternation of names. The name in which a path leaves is not looked at further, whatever it is.
 *
 * @param folder absolute, without a separator at its end unless it is the root
 */
export function sourcesOutside(folder: string, folders: readonly string[]): RegExp {
  // What is one character to Go may be two to JavaScript.
  if (folder.length > LONGEST || /[\ud800-\udfff]/.test(folder)) return sourcesBut(folders);
  const below = /[\\/]$/.test(folder) ? folder : `${folder}/`;
  let leaves = "";
  for (let at = below.length - 1; at >= 0; at--) {
    const isSeparator = /[\\/]/.test(below[at]);
    const [same, other] = isSeparator ? [SEPARATOR, CHARACTER] : [textOf(below[at]), `[^${textOf(below[at])}]`];
    // A file `x.ts` may stand beside a folder `x.tsx`.
    const end = SOURCE_PATH.test(below.slice(0, at)) ? "|$" : "";
    leaves = leaves === "" ? other : `(?:${other}|${same}${leaves}${end})`;
  }
  return new RegExp(`^${leaves}${CHARACTER}*(?:(?:${SEPARATOR}${nameBut(folders)})*${SEPARATOR}${SOURCE_NAME})?$`);
}

/** A name, perhaps an empty one, that is none of the given ones. */
function nameBut(words: readonly string[]): string {
  const rest = (prefix: string): string => {
    const next = new Set(words.filter((word) => word.startsWith(prefix) && word.length > prefix.length).map((word) => word[prefix.length]));
    const others = `[^\\\\/${[...next].map(textOf).join("")}]${CHARACTER}*`;
    const alternatives = [others, ...[...next].map((character) => `${textOf(character)}${rest(prefix + character)}`)];
    if (!words.includes(prefix)) alternatives.push("");
    return `(?:${alternatives.join("|")})`;
  };
  return rest("");
}
