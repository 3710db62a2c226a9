/**
 * The compiler that tests build projects with: the one that this checkout is developed with, or those that the version matrix names by variables
 * (scripts/test-typescript-versions.mjs).
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { ROOT } from "./chunks";

/** Folders of the packages. */
export const TYPESCRIPT = process.env["MAKEPARALLEL_TEST_TYPESCRIPT"] ?? path.join(ROOT, "node_modules", "typescript");
export const TS_PATCH = process.env["MAKEPARALLEL_TEST_TS_PATCH"] ?? path.join(ROOT, "node_modules", "ts-patch");

const { version } = JSON.parse(fs.readFileSync(path.join(TYPESCRIPT, "package.json"), "utf8")) as { version: string };
const [major = 0, minor = 0] = version.split(".").map(Number);

/** Whether the compiler is of this version or newer. */
export function typescriptIs(atLeastMajor: number, atLeastMinor = 0): boolean {
  return major > atLeastMajor || (major === atLeastMajor && minor >= atLeastMinor);
}
