/** Manifests that tasks of this environment have come from: where a class that arrives unannounced is looked for. */
export const knownManifests = new Set<string>();
