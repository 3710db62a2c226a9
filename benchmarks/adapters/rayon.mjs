import { runOtherLanguage } from "../lib/other-languages.mjs";

export const variants = [{ label: "join" }];

export async function open({ threads }) {
  return { run: (size, samples) => runOtherLanguage("rayon", threads, size, samples) };
}
