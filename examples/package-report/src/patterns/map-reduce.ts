import { gather, parallel } from "makeparallel";

/** Word counts of one piece of text. A Map crosses between threads like any other value. */
const countWords = parallel((text: string) => {
  const counts = new Map<string, number>();
  for (const [word] of text.toLowerCase().matchAll(/\p{Letter}+/gu)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
});

/** Splits a text, counts the words of each part on whatever core is free, and adds the counts up. */
export async function mapReduce(text: string): Promise<string> {
  const parts = text.match(/(?:.*\n?){1,200}/g)?.filter((part) => part !== "") ?? [];
  const counted = await gather(parts.map((part) => countWords(part)));
  const total = new Map<string, number>();
  for (const counts of counted) {
    for (const [word, count] of counts) total.set(word, (total.get(word) ?? 0) + count);
  }
  const top = [...total].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, 3);
  return `${parts.length} parts, ${total.size} different words, most often ${top.map(([word, count]) => `${word} ${count}`).join(", ")}`;
}
