export { ChunkLoader, type LoadedTask, type LoaderRuntime } from "./chunk-loader";
export { FsChunkStore } from "./fs-chunk-store";
export { findManifest, readManifest, refreshManifest } from "./manifest";
export { installStackMapping, mapStack } from "./stack-mapping";
