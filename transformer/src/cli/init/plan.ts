/** What `init` is going to do. */
import type { ResolvedCommand } from "package-manager-detector" with { "resolution-mode": "import" };

export interface FileChange {
  file: string;
  /** What changes, one line each. */
  what: string[];
  /** Undefined: the file is new. */
  before: string | undefined;
  after: string;
}

/** Something that this tool can't or shouldn't do itself. */
export interface Todo {
  title: string;
  /** Text or code, shown as it is. */
  lines: string[];
}

export interface Plan {
  /** What was found: label and value. */
  found: [label: string, value: string][];
  /** Commands to run before files change. */
  installs: ResolvedCommand[];
  files: FileChange[];
  /** Commands to run after. */
  afterwards: ResolvedCommand[];
  todos: Todo[];
  notes: string[];
  /** What keeps the setup from being complete. */
  problems: string[];
}

export function emptyPlan(): Plan {
  return { found: [], installs: [], files: [], afterwards: [], todos: [], notes: [], problems: [] };
}

/** Changes of a file that several steps edit one after the other. */
export class Draft {
  readonly what: string[] = [];
  private text: string;

  constructor(
    readonly file: string,
    private readonly before: string,
  ) {
    this.text = before;
  }

  edit(what: string, change: (text: string) => string): void {
    const mark = this.text.startsWith("\uFEFF") ? "\uFEFF" : "";
    const changed = mark + change(this.text.slice(mark.length));
    if (changed === this.text) return;
    this.text = changed;
    this.what.push(what);
  }

  /** @returns undefined when nothing changes */
  change(): FileChange | undefined {
    return this.text === this.before ? undefined : { file: this.file, what: this.what, before: this.before, after: this.text };
  }
}
