/** Images: open, verify, unpack, build from the host. */
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
export type { ImageOrigin } from './origin.ts'
export type { Platform } from './platform.ts'
export { parseReference, type ImageReference, type Transport } from './reference.ts'
export type { BundleConfigOptions } from './bundle-config.ts'
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
export type { BuildOptions, BuildResult, ImageChanges, WriteOptions } from './build/build.ts'
export type { CompressionOptions } from './build/compression.ts'
export type {
  ArchiveLayer,
  CopyEntry,
  DifferenceLayer,
  DirectoryEntry,
  EntriesLayer,
  EntryAttributes,
  FileContent,
  FileEntry,
  HardlinkEntry,
  HistoryOptions,
  IdRange,
  LayerEntry,
  LayerOptions,
  LinkEntry,
  OpaqueEntry,
  RemoveEntry,
  SpecialEntry,
  SymlinkEntry,
  TreeReading,
  UpperLayer,
  VirtualTree,
} from './build/content.ts'
export type { LayerResult } from './build/layer.ts'
export type { ConfigPatch } from './build/patch.ts'
export { changesSince, snapshot, type SnapshotOptions } from './build/snapshot.ts'
export type { ConvertOptions } from './edit/convert.ts'
export {
  copyImage,
  copyImages,
  type CopyImagesResult,
  type CopyOptions,
  type CopyProgress,
  type CopyResult,
} from './edit/copy.ts'
export type { BlobOrigin, Copied, CopyOperation, ImageSet, ImageTarget, NamedImage } from './target/target.ts'
export type { RebaseOptions } from './edit/rebase.ts'
export type { SquashOptions } from './edit/squash.ts'
export type { Collected, CollectGarbageOptions } from './layout/gc.ts'
export type {
  DiffOptions,
  ImageDifference,
  LayerDifference,
  LayerSummary,
  ValueDifference,
} from './read/diff.ts'
export type { ExportOptions } from './read/rootfs.ts'
export type { VerifyProblem, VerifyResult } from './read/verify.ts'
export type { PathChange } from '../native/write-layer.ts'
export type { LayerProgress } from '../native/layer.ts'
