import path from "node:path";
import { fileURLToPath } from "node:url";

export const benchmarkFolder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
export const taskFolder = path.join(benchmarkFolder, "tasks");
export const buildFolder = path.join(benchmarkFolder, "build");
export const resultFolder = path.join(benchmarkFolder, "results");
