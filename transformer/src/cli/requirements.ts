/** Versions that go together, in one place. */
import type { Version } from "./project/versions";

/** Least Node that makeparallel runs on; `engines` of package.json says the same. */
export const NODE: Version = [20, 19, 0];
export const TYPESCRIPT: Version = [5, 4, 0];
/** The first TypeScript without a compiler API. */
export const TYPESCRIPT_WITHOUT_API = 7;
/** What is installed where a project has no TypeScript. */
export const TYPESCRIPT_RANGE = "~5.9.3";

export interface TsPatchNeed {
  major: number;
  least: Version;
  range: string;
  /** Least Node that it runs on. */
  node: Version;
}

/** The ts-patch that patches a TypeScript. */
export function tsPatchFor(typescriptMajor: number): TsPatchNeed {
  return typescriptMajor >= 6
    ? { major: 4, least: [4, 0, 0], range: "^4.0.1", node: [22, 15, 0] }
    : { major: 3, least: [3, 3, 0], range: "^3.3.0", node: NODE };
}
