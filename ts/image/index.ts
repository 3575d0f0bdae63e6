/** Images: open, verify, unpack, make from the host. */
export { defaultSpec, type DefaultSpecOptions } from './default-spec.ts'
export type { FromHostOptions } from './from-host.ts'
export { Image, type OpenImageOptions } from './image.ts'
export { Layout } from './layout.ts'
export type { IdMappings, IdMappingsOption } from './id-mappings.ts'
export type { ImageLimits } from './limits.ts'
export type { Platform } from './platform.ts'
export { parseReference, type ImageReference, type Transport } from './reference.ts'
export type { RuntimeConfigOptions } from './runtime-config.ts'
export type { FileRange, ImageSource } from './source/source.ts'
export {
  removeUnpacked,
  type SkippedEntry,
  type UnpackBundleOptions,
  type UnpackOptions,
  type UnpackPolicy,
  type UnpackProgress,
  type UnpackResult,
} from './unpack.ts'
