/** Images: open, verify, unpack, make from the host. */
export { defaultSpec, type DefaultSpecOptions } from './default-spec.ts'
export type { FromHostOptions } from './from-host.ts'
export { Image, type OpenImageOptions } from './image.ts'
export type { CollectOptions, CollectResult } from './store/collect.ts'
export type { Damage, RepairResult, StoreHealth } from './store/health.ts'
export type { StoredImage, StoredSnapshot, StoreListing } from './store/list.ts'
export type { Snapshot } from './store/snapshot.ts'
export {
  Store,
  type ImportOptions,
  type PrepareOptions,
  type StoreOptions,
  type UnpackedLayer,
} from './store/store.ts'
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
export type { ValidatedDocument, ValidationReport } from './validation/report.ts'
export { validate, type ValidateOptions } from './validation/validate.ts'
