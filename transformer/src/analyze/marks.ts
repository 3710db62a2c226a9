/**
 * The cheap test that spares unmarked files everything else.
 *
 * A mark needs an import of the package by its bare name, or `@parallel` in a comment. The word "parallel" alone says nothing, prose has it often;
 * nor does the name with a path behind it, which build scripts and this package's own output have. The test is made on text, and on bytes, for whoever has
 * not decoded a file yet.
 */
const MARK = /@parallel|makeparallel["'`]/;

const WORD = Buffer.from("parallel");

/** Whether a text could have a mark. */
export function mayContainMark(text: string): boolean {
  return text.includes("parallel") && MARK.test(text);
}

/** The same of a file's bytes (in any encoding that has ASCII in it). */
export function mayContainMarkBytes(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(WORD); at >= 0; at = bytes.indexOf(WORD, at + WORD.length)) {
    if (MARK.test(bytes.toString("latin1", Math.max(0, at - 4), at + WORD.length + 1))) return true;
  }
  return false;
}
