import fs from "node:fs";
import os from "node:os";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** What the figures were measured on. */
export function machine() {
  return {
    cpu: os.cpus()[0]?.model ?? os.arch(),
    cores: os.availableParallelism(),
    memory: `${(os.totalmem() / 2 ** 30).toFixed(1)} GiB`,
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.version,
    load: os.loadavg()[0].toFixed(2),
  };
}

/** Installed versions of packages, by name. */
export function versions(names) {
  return Object.fromEntries(
    names.map((name) => {
      const manifest = [`../../node_modules/${name}/package.json`]
        .map((relative) => new URL(relative, import.meta.url))
        .find((url) => fs.existsSync(url));
      return [name, manifest ? JSON.parse(fs.readFileSync(manifest, "utf8")).version : require("../../package.json").version];
    }),
  );
}
