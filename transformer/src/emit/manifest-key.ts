/** The name by which stubs know their build's manifest: the same on every machine, different for builds that may share an output folder. */
import { createHash } from "node:crypto";

/** @param identity what tells this build from others of the package, without absolute paths */
export function manifestKey(...identity: readonly string[]): string {
  return createHash("sha256").update(identity.join("\0")).digest("hex").slice(0, 10);
}
