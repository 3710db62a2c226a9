/**
 * Patterns for absolute paths, in the regular expressions that JavaScript and Go (esbuild) both have: without lookahead, so that "not this name" has to be
 * spelled out.
 */

const SEPARATOR = "[\\\\/]";
const CHARACTER = "[^\\\\/]";
const SOURCE_NAME = `${CHARACTER}*\\.[cm]?[jt]sx?`;

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

/** The same, of those that are not below a folder. */
export function sourcesOutside(folder: string, folders: readonly string[]): RegExp {
  const [first, ...segments] = folder.split(/[\\/]/).filter((segment, index) => index === 0 || segment !== "");
  const rest = `(?:${SEPARATOR}${nameBut(folders)})*${SEPARATOR}${SOURCE_NAME}`;
  // Where the path leaves that of the folder: at another drive, or at the n-th name.
  const leaves = [`${nameBut([first])}${rest}`];
  segments.forEach((segment, index) => {
    const before = [first, ...segments.slice(0, index)].map(textOf).join(SEPARATOR);
    leaves.push(`${before}${SEPARATOR}(?:${nameBut([segment, ...folders])}${rest}|${SOURCE_NAME})`);
  });
  return new RegExp(`^(?:${leaves.join("|")})$`);
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
