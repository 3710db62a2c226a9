import cliProgress from "cli-progress";

/** A progress bar on a terminal; nothing in a pipe or a file. */
export function progressBar(label: string, total: number): cliProgress.SingleBar | undefined {
  if (!process.stdout.isTTY) return undefined;
  const bar = new cliProgress.SingleBar(
    { format: `${label.padEnd(12)} {bar} {value}/{total} files, {duration_formatted}`, hideCursor: true, stream: process.stdout },
    cliProgress.Presets.shades_classic,
  );
  bar.start(total, 0);
  return bar;
}

/** Lines of text in columns; the first row is the head. Numbers are right-aligned. */
export function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: string[]) =>
    row
      .map((cell, column) => (/^[\d.,]+/.test(cell) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd();
  const [head, ...body] = rows;
  return [line(head!), widths.map((width) => "─".repeat(width)).join("  "), ...body.map(line)].join("\n");
}
