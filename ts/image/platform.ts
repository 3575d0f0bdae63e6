/** Platforms: of the layer of documents, named here for the modules of this one. */
export * from '../spec/platform.ts'
export type { PlatformLike as Platform } from '../spec/platform.ts'
