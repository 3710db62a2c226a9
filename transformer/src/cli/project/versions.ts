/** Versions and ranges, as far as a setup's questions go: which major and minor is this, and is it at least that. */

export type Version = readonly [major: number, minor: number, patch: number];

/** The first version that the text names: `5.9.3` of `5.9.3`, `v5.9.3`, `~5.9.3`, `>=5.9.3 <6`. Missing parts count as 0. */
export function parseVersion(text: string): Version | undefined {
  const match = /(\d+)(?:\.(\d+|[x*]))?(?:\.(\d+|[x*]))?/.exec(text.replace(/^(?:npm|workspace):(?:@?[^@]*@)?/, ""));
  if (!match) return undefined;
  const part = (index: number): number => Number.parseInt(match[index] ?? "0", 10) || 0;
  return [part(1), part(2), part(3)];
}

export function isAtLeast(version: Version, least: Version): boolean {
  for (let index = 0; index < 3; index++) {
    const difference = (version[index] as number) - (least[index] as number);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

export function showVersion(version: Version): string {
  return version.join(".");
}
