/** The jest transform of the tests: TypeScript to CommonJS by esbuild, one file at a time, with an inline source map. */
const { createHash } = require("node:crypto");
const esbuild = require("esbuild");

module.exports = {
  process(source, file) {
    const { code } = esbuild.transformSync(source, {
      loader: file.endsWith("x") ? "tsx" : "ts",
      format: "cjs",
      target: "node20",
      sourcefile: file,
      sourcemap: "inline",
      // `await import()` stays what it is, so that tests reach ES modules as a program would.
      supported: { "dynamic-import": true },
    });
    return { code };
  },
  getCacheKey(source, file) {
    return createHash("sha256").update(esbuild.version).update("\0").update(file).update("\0").update(source).digest("hex");
  },
};
