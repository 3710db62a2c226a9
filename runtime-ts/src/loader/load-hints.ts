/** What helps where code of a chunk, or a package that it needs, fails while it is loaded. Added to the message, so each begins with a blank. */

/** For a chunk's own code and the packages in it. */
export function loadHint(error: unknown): string {
  return missingFileHint(error) || effectHint(error);
}

/** Bundled code has looked for files that lie beside it in its package. */
function missingFileHint(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (code !== "ENOENT" && code !== "MODULE_NOT_FOUND") return "";
  return " (A bundled package that looks for files of its own finds those that lie beside the program's output. Copy them there, or make the package `external`.)";
}

/**
 * Something is not there that the program sets up before, most often by a bare import in another file: "Reflect.getMetadata is not a function", "Prism is not
 * defined", "… requires a reflect polyfill".
 */
export function effectHint(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const lacks = /is not (?:a function|a constructor|defined)|of undefined/.test(error.message);
  if (!(lacks && (error.name === "TypeError" || error.name === "ReferenceError")) && !/polyfill/i.test(error.message)) return "";
  return ' (What the program imports for its effect, as `import "reflect-metadata"`, runs in a task if the file whose code needs it has the import as well, with `// @parallel-include` above it.)';
}
