/**
 * Reads the command lines of package.json scripts.
 *
 * Takes: a script's text. Gives: its commands, each as words with their places in the text, so that a word can be replaced and everything else stays.
 * Command lines inside quotes (`concurrently "tsc -w" "node --watch dist"`) are commands as well. What it does not do: substitutions, variables,
 * subshells; their text is never mistaken for a command name that this tool looks for, because only words at a command's start count.
 */

export interface Word {
  /** Without quotes. */
  text: string;
  /** Range of the text, without the quotes around it. */
  start: number;
  end: number;
}

export interface Command {
  words: Word[];
  /** What stands before it: `&&`, `||`, `;`, `|`, `&`, or nothing. */
  after: string;
}

/** Their quoted arguments are shown or evaluated, not run as command lines. */
const NO_COMMANDS_INSIDE = new Set(["echo", "printf", "git", "node"]);

export function parseCommands(text: string, offset = 0): Command[] {
  const commands: Command[] = [];
  let words: Word[] = [];
  let operator = "";
  const inner: { text: string; start: number }[] = [];

  const end = (next: string): void => {
    if (words.length > 0) {
      commands.push({ words, after: operator });
      if (!NO_COMMANDS_INSIDE.has(words[0]?.text ?? "")) for (const part of inner) commands.push(...parseCommands(part.text, part.start));
    }
    inner.length = 0;
    words = [];
    operator = next;
  };

  let at = 0;
  while (at < text.length) {
    const operatorHere = /^(?:&&|\|\||[;|&\n()])/.exec(text.slice(at))?.[0];
    if (operatorHere !== undefined) {
      end(operatorHere);
      at += operatorHere.length;
    } else if (/\s/.test(text[at] as string)) at++;
    else {
      const word = readWord(text, at);
      // A whole word in quotes that has a space in it may be a command line. Escapes would move places, so there it is left alone.
      if (word.quoted && /\s/.test(word.text) && !word.text.includes("\\")) inner.push({ text: word.text, start: offset + word.start });
      words.push({ text: word.text, start: offset + word.start, end: offset + word.end });
      at = word.next;
    }
  }
  end("");
  return commands;
}

function readWord(text: string, from: number): Word & { quoted: boolean; next: number } {
  const first = text[from] as string;
  let at = from;
  let quote = "";
  for (; at < text.length; at++) {
    const char = text[at] as string;
    if (quote !== "") {
      if (char === "\\" && quote === '"') at++;
      else if (char === quote) quote = "";
    } else if (char === "\\") at++;
    else if (char === '"' || char === "'") quote = char;
    else if (/[\s;|&()]/.test(char)) break;
  }
  const next = Math.min(at, text.length);
  const isQuoted = (first === '"' || first === "'") && text.indexOf(first, from + 1) === next - 1;
  const [start, end] = isQuoted ? [from + 1, next - 1] : [from, next];
  return { text: text.slice(start, end), start, end, quoted: isQuoted, next };
}
