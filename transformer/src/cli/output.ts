/** Text for a terminal or a pipe. */

export type Style = "bold" | "dim" | "red" | "yellow" | "green" | "cyan";

const CODES: Record<Style, [on: number, off: number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  yellow: [33, 39],
  green: [32, 39],
  cyan: [36, 39],
};

export interface Sink {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** Writes lines; colours only where a person looks at them and has not asked for none (https://no-color.org). */
export class Output {
  readonly hasColor: boolean;

  constructor(
    private readonly sink: Sink,
    env: NodeJS.ProcessEnv,
  ) {
    const forced = env["FORCE_COLOR"] !== undefined && env["FORCE_COLOR"] !== "0" && env["FORCE_COLOR"] !== "";
    const refused = (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb" || env["FORCE_COLOR"] === "0";
    this.hasColor = !refused && (forced || sink.isTTY === true);
  }

  line(text = ""): void {
    this.sink.write(`${text}\n`);
  }

  paint(style: Style, text: string): string {
    if (!this.hasColor) return text;
    const [on, off] = CODES[style];
    return `\u001b[${on}m${text}\u001b[${off}m`;
  }

  /** Prose, broken at spaces to the terminal's width, or to a readable one. */
  prose(text: string, indent = ""): void {
    const width = Math.min(this.sink.columns ?? 100, 100) - indent.length;
    let line = "";
    for (const word of text.split(/\s+/)) {
      if (line !== "" && line.length + 1 + word.length > width) {
        this.line(indent + line);
        line = word;
      } else line = line === "" ? word : `${line} ${word}`;
    }
    if (line !== "") this.line(indent + line);
  }
}
