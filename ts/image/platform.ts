/** Platforms of the specifications, re-exported for this module. */
export * from '../spec/platform.ts'
export type { PlatformLike as Platform } from '../spec/platform.ts'
