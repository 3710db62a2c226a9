import { createHash } from "node:crypto";
import fs from "node:fs/promises";
import { parallel } from "makeparallel";
import { marked } from "marked";

export interface RenderedDocument {
  file: string;
  headings: string[];
  links: number;
  codeBlocks: number;
  /** Length of the HTML, in UTF-16 units. */
  length: number;
  sha256: string;
}

/** Renders one Markdown file to HTML. */
export const renderDocument = parallel(async (file: string): Promise<RenderedDocument> => {
  const tokens = marked.lexer(await fs.readFile(file, "utf8"));
  const headings: string[] = [];
  let links = 0;
  let codeBlocks = 0;
  marked.walkTokens(tokens, (token) => {
    if (token.type === "heading") headings.push(token.text as string);
    if (token.type === "link") links++;
    if (token.type === "code") codeBlocks++;
  });
  const html = marked.parser(tokens);
  return { file, headings, links, codeBlocks, length: html.length, sha256: createHash("sha256").update(html).digest("hex") };
});
