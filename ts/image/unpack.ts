/** Unpacks verified layers to a directory, and creates a bundle around it. */
import { rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { called } from '../boundary.ts'
import { CaissonError } from '../errors.ts'
import { BundleDirectory, isReachable } from './bundle-directory.ts'
import { hostPath } from './host-path.ts'
import {
  removeTree,
  unpackLayers,
  type LayerBlob,
  type LayerOperation,
  type LayerProgress,
  type SkippedEntry,
  type UnpackRequest,
} from '../native/layer.ts'
import { processRights } from '../native/rights.ts'
import { checkOptions } from '../options.ts'
import type { ImageConfig } from '../spec/index.ts'
import { bundleConfig, type BundleConfigOptions } from './bundle-config.ts'
import { nativeIdMaps, resolveIdMappings, type IdMappingsOption } from './id-mappings.ts'
import type { ImageLimits } from './limits.ts'
import { removeOptions } from './options/known.ts'

/** What to do without the required privilege: fail, skip, or leave a placeholder. */
export type UnpackPolicy = 'error' | 'skip' | 'placeholder'

export interface UnpackOptions {
  /** Unpack as an unprivileged user would: every file belongs to the caller. Default: true unless root. */
  rootless?: boolean | undefined
  /** Device nodes. `placeholder` is an empty file of mode 0. Default: `error` as root, `skip` rootless. */
  devices?: UnpackPolicy | undefined
  /** Owners. `placeholder` records them in `user.rootlesscontainers`. Default: `error` as root, `skip` rootless. */
  owners?: UnpackPolicy | undefined
  /** Extended attributes that cannot be set. Default: `skip`. */
  xattrs?: 'error' | 'skip' | undefined
  /**
   * Where a layer has a directory on top of a link to one, the link is kept, and the files go to its target. Otherwise
   * the directory replaces the link, as in the specification.
   */
  keepDirlinks?: boolean | undefined
  /**
   * Maps the ids of the image to ids of the host. Root sets the owners; an unprivileged user needs newuidmap and
   * newgidmap. An unmapped owner is an error unless `owners` allows it.
   */
  idMappings?: IdMappingsOption | undefined
  /** Default: the limits of the open image. */
  limits?: ImageLimits | undefined
  signal?: AbortSignal | undefined
  onProgress?: ((progress: UnpackProgress) => void) | undefined
}

/** Options of both unpacking and config.json. */
export type UnpackBundleOptions = UnpackOptions & Omit<BundleConfigOptions, 'rootfs'>

export interface UnpackProgress extends LayerProgress {
  /** Compressed bytes of all layers. */
  total: number
}

export type { SkippedEntry } from '../native/layer.ts'

/** The result, and what could not be done as the image asks. */
export interface UnpackResult {
  /** Absolute path of the root file system. */
  rootfs: string
  /** Archive entries applied. */
  entries: number
  /** Bytes of all files, holes included. */
  bytes: number
  /** Bytes read from blobs. */
  compressed: number
  /** What was changed or left out; at most a thousand entries. */
  skipped: SkippedEntry[]
  /** Their exact number. */
  skippedCount: number
  warnings: string[]
}

/** Unpacks to `directory`, which must not exist or be empty. It appears complete or not at all. */
export async function unpackRootfs(
  layers: LayerBlob[],
  directory: string,
  options: UnpackOptions,
): Promise<UnpackResult> {
  const rootfs = hostPath(directory, 'the directory')
  const outcome = await unpackLayers(unpackRequest(layers, rootfs, options), operationOf(layers, options))
  const { setIds, ...result } = outcome
  // SECURITY: the root file system is accessible to its users, so the directory around it must not be.
  if (setIds > 0 && (await isReachable(dirname(rootfs)))) {
    const message = `other users can run the ${setIds} set-user-id or set-group-id programs in ${rootfs}`
    result.warnings.push(`${message}: keep it in a directory of mode 0700`)
  }
  return { rootfs, ...result }
}

/** The request to the native side. Throws `ERR_INVALID_OPTION`. */
export function unpackRequest(layers: LayerBlob[], target: string, options: UnpackOptions): UnpackRequest {
  const { changesOwners } = processRights()
  const rootless = options.rootless ?? !changesOwners
  const mappings = options.idMappings && resolveIdMappings(options.idMappings)
  if (mappings && rootless === changesOwners) {
    const message = changesOwners ? 'rootless goes without idMappings' : 'an ordinary user unpacks rootless'
    throw new CaissonError('ERR_INVALID_OPTION', message, { phase: 'validate' })
  }
  const fallback = rootless ? 'skip' : 'error'
  return {
    layers,
    target,
    rootless,
    devices: options.devices ?? fallback,
    owners: options.owners ?? (mappings ? 'error' : fallback),
    xattrs: options.xattrs ?? 'skip',
    ...(options.keepDirlinks ? { keepDirlinks: true } : {}),
    ...(mappings ? { idMaps: nativeIdMaps(mappings) } : {}),
  }
}

/** How to watch and abort it. */
export function operationOf(
  layers: readonly LayerBlob[],
  { signal, onProgress, limits }: Pick<UnpackOptions, 'signal' | 'onProgress' | 'limits'>,
): LayerOperation {
  const total = layers.reduce((sum, { size }) => sum + (size ?? 0), 0)
  return { signal, limits, onProgress: onProgress && ((progress) => onProgress({ ...progress, total })) }
}

/** Makes `directory` a bundle: `rootfs` and `config.json`. A failure removes what was created. */
export async function unpackBundle(
  layers: LayerBlob[],
  config: ImageConfig,
  directory: string,
  options: UnpackBundleOptions,
): Promise<UnpackResult> {
  const bundle = hostPath(directory, 'the bundle')
  const idMappings = options.idMappings && resolveIdMappings(options.idMappings)
  bundleConfig(config, { ...options, user: '0' }) // everything but the user can be refused before anything is created
  await using made = await BundleDirectory.create(bundle)
  const rootfs = join(made.path, 'rootfs')
  const configFile = join(made.path, 'config.json')
  let [unpacked, written] = [false, false]
  try {
    const result = await unpackRootfs(layers, rootfs, options)
    unpacked = true
    const spec = bundleConfig(config, { ...options, rootfs })
    await writeFile(configFile, `${JSON.stringify(spec, null, 2)}\n`, { flag: 'wx', mode: 0o600 })
    written = true
    return { ...result, rootfs: join(bundle, 'rootfs'), warnings: [...made.warnings, ...result.warnings] }
  } catch (error) {
    if (unpacked) await removeTree(rootfs, idMappings && nativeIdMaps(idMappings))
    if (written) await rm(configFile, { force: true })
    await made.giveUp()
    throw named(error, made.path, bundle)
  }
}

/**
 * Removes what was unpacked. `idMappings` must be those of unpacking: without them an unprivileged user cannot read
 * directories of other owners.
 */
export function removeUnpacked(path: string, options: Pick<UnpackOptions, 'idMappings'> = {}): Promise<void> {
  return called(removeUnpacked, async () => {
    checkOptions(options, removeOptions)
    const { idMappings } = options
    await removeTree(
      hostPath(path, 'what is removed'),
      idMappings && nativeIdMaps(resolveIdMappings(idMappings)),
    )
  })
}

/** The error with the name of the bundle in place of its descriptor path. */
function named(error: unknown, descriptor: string, bundle: string): unknown {
  if (!(error instanceof CaissonError) || !error.message.includes(descriptor)) return error
  const { code, phase, syscall, errno, path, hint } = error
  const message = error.message.replaceAll(descriptor, bundle)
  const plain = hint === undefined ? message : message.replace(` (${hint})`, '')
  return new CaissonError(code, plain, {
    phase,
    syscall,
    errno,
    path: path?.replace(descriptor, bundle),
    hint,
    cause: error.cause,
  })
}
