/** docs/hoisting.md names the fixtures that show what it says. */
import * as fs from "node:fs";
import * as path from "node:path";
import { ROOT } from "../support/chunks";

const folders = ["exec", "transform", "errors"];
const existing = new Set(folders.flatMap((folder) => fs.readdirSync(path.join(ROOT, "fixtures", folder))));
const rows = fs
  .readFileSync(path.join(ROOT, "docs/hoisting.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("|") && !/^\|\s*(-|In the source)/.test(line))
  .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));
const named = new Set(rows.flatMap((cells) => (cells[3] ?? "").split(", ")));

test("every row names fixtures that exist", () => {
  expect(rows.length).toBeGreaterThan(40);
  expect([...named].filter((name) => !existing.has(name))).toEqual([]);
});

test("every program and every message is named in a row", () => {
  const missing = ["exec", "errors"].flatMap((folder) =>
    fs.readdirSync(path.join(ROOT, "fixtures", folder)).filter((name) => !named.has(name)),
  );
  expect(missing).toEqual([]);
});
