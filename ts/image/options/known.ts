/** The options of every call of the image API with their checks. */
import {
  callback,
  either,
  flag,
  has,
  isObject,
  isText,
  list,
  named,
  needed,
  oneOf,
  path,
  signal,
  such,
  text,
  whole,
  type Check,
  type Known,
} from '../../options.ts'
import type { BuildOptions, ImageChanges, WriteOptions } from '../build/build.ts'
import type { CompressionOptions } from '../build/compression.ts'
import { LAST_SECOND } from '../build/epoch.ts'
import type { SnapshotOptions } from '../build/snapshot.ts'
import type { BundleConfigOptions } from '../bundle-config.ts'
import type { ConvertOptions } from '../edit/convert.ts'
import type { CopyOptions } from '../edit/copy.ts'
import type { RebaseOptions } from '../edit/rebase.ts'
import type { SquashOptions } from '../edit/squash.ts'
import type { FromHostOptions } from '../from-host.ts'
import type { Image, OpenImageOptions } from '../image.ts'
import type { CollectGarbageOptions } from '../layout/gc.ts'
import type { DiffOptions } from '../read/diff.ts'
import type { ExportOptions } from '../read/rootfs.ts'
import type { CollectOptions } from '../store/collect.ts'
import type { InspectOptions } from '../store/health.ts'
import type { ImportOptions, PrepareOptions, StoreOptions } from '../store/store.ts'
import type { UnpackBundleOptions, UnpackOptions } from '../unpack.ts'
import type { ValidateOptions } from '../validation/validate.ts'
import { layer, treeReading } from './layer.ts'
import {
  args,
  cwd,
  env,
  history,
  idMappings,
  image,
  layout,
  limits,
  operation,
  platform,
  platformParts,
  word,
} from './parts.ts'

export const imageOrReference: Check = either(such('an image reference', isText), image)

export const openOptions: Known<OpenImageOptions> = { platform, anyPlatform: flag, limits, signal }

const policy = oneOf('error', 'skip', 'placeholder')

export const unpackOptions: Known<UnpackOptions> = {
  rootless: flag,
  devices: policy,
  owners: policy,
  xattrs: oneOf('error', 'skip'),
  keepDirlinks: flag,
  idMappings,
  limits,
  ...operation,
}

export const bundleConfigOptions: Known<BundleConfigOptions> = {
  args,
  env,
  cwd,
  user: text,
  rootless: flag,
  idMappings,
  hostname: word,
  terminal: flag,
  readonly: flag,
  rootfs: path,
}

const { rootfs: _, ...withoutRootfs } = bundleConfigOptions
export const unpackBundleOptions: Known<UnpackBundleOptions> = { ...unpackOptions, ...withoutRootfs }

const compressionOptions: Known<CompressionOptions> = {
  compression: oneOf('auto', 'gzip', 'zstd', 'none'),
  level: whole(1),
  threads: whole(1),
}

const writeOptions: Known<WriteOptions> = {
  layout: needed(layout),
  tag: text,
  sourceDateEpoch: whole(0, LAST_SECOND),
  ...compressionOptions,
  ...operation,
}

const changes: Known<ImageChanges> = {
  layers: list(layer),
  config: such('an object', isObject),
  annotations: named(either(oneOf(null), text), (name) => name !== ''),
  history,
  createdBy: text,
}

export const buildOptions: Known<BuildOptions & { from?: string | Image | undefined }> = {
  ...writeOptions,
  ...changes,
  platform: platformParts,
  limits,
  from: imageOrReference,
}

export const squashOptions: Known<SquashOptions> = {
  ...writeOptions,
  keep: whole(0),
  history,
  createdBy: text,
}

const { sourceDateEpoch, compression, level, threads, onProgress, ...target } = writeOptions
export const rebaseOptions: Known<RebaseOptions> = { ...target, sourceDateEpoch }
export const convertOptions: Known<ConvertOptions> = {
  ...target,
  compression,
  level,
  threads,
  onProgress,
  mediaTypes: oneOf('oci', 'docker'),
}

export const fromHostOptions: Known<FromHostOptions> = {
  layout: needed(path),
  tag: text,
  programs: list(word),
  command: args,
  signal,
}

export const diffOptions: Known<DiffOptions> = { files: flag, signal }
export const signalOnly: { readonly signal: Check } = { signal }
export const exportOptions: Known<ExportOptions> = { path, sourceDateEpoch, ...operation }

export const copyOptions: Known<CopyOptions> = {
  to: either(
    such('a reference', isText),
    such('a target', (value) => has(value, 'nameOf', 'write')),
  ),
  layout,
  tag: text,
  platforms: list(platform),
  overwrite: flag,
  limits,
  ...operation,
}

export const collectGarbageOptions: Known<CollectGarbageOptions> = { dryRun: flag, signal }
export const snapshotOptions: Known<SnapshotOptions> = { ...treeReading, ...operation }
export const changesOptions: Known<SnapshotOptions & { mask?: readonly string[] }> = {
  ...snapshotOptions,
  mask: list(text),
}
export const validateOptions: Known<ValidateOptions> = { mode: oneOf('strict', 'lenient'), kind: text }
export const removeOptions: Known<Pick<UnpackOptions, 'idMappings'>> = { idMappings }

export const storeOptions: Known<StoreOptions> = {
  root: path,
  durability: oneOf('none', 'syncfs'),
  workers: whole(1),
}

const { rootless, keepDirlinks, ...unpacking } = unpackOptions
export const prepareOptions: Known<PrepareOptions> = { ...unpacking, onLayer: callback }
export const importOptions: Known<ImportOptions> = { ...prepareOptions, name: text }
export const collectOptions: Known<CollectOptions> = {
  unusedFor: such('milliseconds from 0 up', (value) => Number.isFinite(value) && (value as number) >= 0),
  signal,
}
export const inspectOptions: Known<InspectOptions> = { contents: flag, signal }
export const repairOptions: Known<PrepareOptions & InspectOptions> = { ...prepareOptions, ...inspectOptions }
