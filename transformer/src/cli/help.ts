/** The help texts. */
import type { Output } from "./output";

const GENERAL = `Usage: makeparallel <command> [options]

Commands:
  init            sets the project in this folder up, and says what it changes
  doctor          says what is wrong with a project's setup, and how to mend it
  explain [code]  explains a diagnostic, such as MP1003; without a code it lists them all

Options:
  -h, --help      this text; after a command: that command's
  -v, --version   the version`;

const COMMANDS: Record<string, string> = {
  init: `Usage: makeparallel init [--dry-run] [--no-install]

Sets the project in this folder up: installs what is missing, puts the transformer into tsconfig.json, builds with tspc where
tsc was called, puts the plugin into plain build scripts for esbuild. What it can't do safely it prints. Running it again changes nothing.

  --dry-run       only prints what it would do
  --no-install    does not run the package manager; prints the commands instead`,
  doctor: `Usage: makeparallel doctor [--json]

Checks the setup and the built output of the project in this folder. Exit code 1 when there is an error.

  --json          prints the findings as JSON`,
  explain: `Usage: makeparallel explain [code…]

Explains diagnostics of the transformer (MP1xxx to MP3xxx) and findings of doctor (MP4xxx). Without a code it lists them all.`,
};

export function help(out: Output, command: string | undefined): void {
  out.line((command === undefined ? undefined : COMMANDS[command]) ?? GENERAL);
}
