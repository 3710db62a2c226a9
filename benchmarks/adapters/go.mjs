import { runOtherLanguage } from "../lib/other-languages.mjs";

export const variants = [{ label: "goroutines" }];

export async function open({ threads }) {
  return { run: (size, samples) => runOtherLanguage("go", threads, size, samples) };
}
