/** Unpacking: verified layers to a directory, and a bundle around it. */
import { readdir, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { called } from '../boundary.ts'
import { CaissonError } from '../errors.ts'
import { hostPath, makeDirectories } from './host-path.ts'
import {
  removeTree,
  unpackLayers,
  type LayerBlob,
  type LayerOperation,
  type LayerProgress,
  type SkippedEntry,
  type UnpackRequest,
} from '../native/layer.ts'
import { checkOptions } from '../options.ts'
import type { ImageConfig } from '../spec/index.ts'
import { bundleConfig, type BundleConfigOptions } from './bundle-config.ts'
import { nativeIdMaps, resolveIdMappings, type IdMappingsOption } from './id-mappings.ts'
import type { ImageLimits } from './limits.ts'
import { removeOptions } from './options/known.ts'

/** What to do where the process lacks the right: fail, leave it out, or leave a trace. */
export type UnpackPolicy = 'error' | 'skip' | 'placeholder'

export interface UnpackOptions {
  /** Unpack as an ordinary user would: every file belongs to the caller. Default: true unless root. */
  rootless?: boolean | undefined
  /** Device nodes. `placeholder` is an empty file of mode 0. Default: `error` as root, `skip` rootless. */
  devices?: UnpackPolicy | undefined
  /** Owners. `placeholder` records them in `user.rootlesscontainers`. Default: `error` as root, `skip` rootless. */
  owners?: UnpackPolicy | undefined
  /** Extended attributes that cannot be set. Default: `skip`. */
  xattrs?: 'error' | 'skip' | undefined
  /**
   * Where a layer has a directory and those below a link to one, the link stays, and the files go where it leads. Otherwise
   * the directory replaces the link, as the specification says.
   */
  keepDirlinks?: boolean | undefined
  /**
   * Ids of the host that stand for those of the image. As root files are given to them; an ordinary user needs newuidmap and
   * newgidmap for that. What has no id there is an error unless `owners` says otherwise.
   */
  idMappings?: IdMappingsOption | undefined
  /** Default: those that the image was opened with. */
  limits?: ImageLimits | undefined
  signal?: AbortSignal | undefined
  onProgress?: ((progress: UnpackProgress) => void) | undefined
}

/** Options of both: what is unpacked, and what config.json says. */
export type UnpackBundleOptions = UnpackOptions & Omit<BundleConfigOptions, 'rootfs'>

export interface UnpackProgress extends LayerProgress {
  /** Compressed bytes of all layers. */
  total: number
}

export type { SkippedEntry } from '../native/layer.ts'

/** What was done, and what could not be done as the image asks. */
export interface UnpackResult {
  /** Absolute path of the root file system. */
  rootfs: string
  /** Archive entries applied. */
  entries: number
  /** Bytes of all files, holes included. */
  bytes: number
  /** Bytes read from blobs. */
  compressed: number
  /** The first thousand things that were changed or left out. */
  skipped: SkippedEntry[]
  /** How many there were. */
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
  return {
    rootfs,
    entries: outcome.entries,
    bytes: outcome.bytes,
    compressed: outcome.compressed,
    skipped: outcome.skipped,
    skippedCount: outcome.skippedCount,
    warnings: outcome.warnings,
  }
}

/** What the native side is asked for. Throws `ERR_INVALID_OPTION`. */
export function unpackRequest(layers: LayerBlob[], target: string, options: UnpackOptions): UnpackRequest {
  const isRoot = (process.geteuid?.() ?? 0) === 0
  const rootless = options.rootless ?? !isRoot
  const mappings = options.idMappings && resolveIdMappings(options.idMappings)
  if (mappings && rootless === isRoot) {
    const message = isRoot ? 'rootless goes without idMappings' : 'an ordinary user unpacks rootless'
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

/** How it is watched and stopped. */
export function operationOf(
  layers: readonly LayerBlob[],
  { signal, onProgress, limits }: Pick<UnpackOptions, 'signal' | 'onProgress' | 'limits'>,
): LayerOperation {
  const total = layers.reduce((sum, { size }) => sum + (size ?? 0), 0)
  return { signal, limits, onProgress: onProgress && ((progress) => onProgress({ ...progress, total })) }
}

/** Makes `directory` a bundle: `rootfs` and `config.json`. What was made is removed again on failure. */
export async function unpackBundle(
  layers: LayerBlob[],
  config: ImageConfig,
  directory: string,
  options: UnpackBundleOptions,
): Promise<UnpackResult> {
  const bundle = hostPath(directory, 'the bundle')
  const idMappings = options.idMappings && resolveIdMappings(options.idMappings)
  bundleConfig(config, { ...options, user: '0' }) // all but the user can be refused before anything is made
  // SECURITY: 0700: set-uid programs of an image must not be within reach of other users of this machine.
  const first = await makeDirectories(bundle, 0o700)
  if (first === undefined) await refuseContent(bundle)
  const rootfs = join(bundle, 'rootfs')
  const configFile = join(bundle, 'config.json')
  let unpacked = false
  try {
    const result = await unpackRootfs(layers, rootfs, options)
    unpacked = true
    const spec = bundleConfig(config, { ...options, rootfs })
    await writeFile(configFile, `${JSON.stringify(spec, null, 2)}\n`, { flag: 'wx', mode: 0o600 })
    return result
  } catch (error) {
    if (unpacked) {
      await removeTree(rootfs, idMappings && nativeIdMaps(idMappings))
      await rm(configFile, { force: true })
    }
    if (first !== undefined) await removeMade(bundle, first)
    throw error
  }
}

/**
 * Removes what was unpacked. `idMappings` as then: without them an ordinary user cannot look into directories of other owners.
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

/** Removes `directory` and the parents that were made for it, up to `first`, as long as they are empty. */
async function removeMade(directory: string, first: string): Promise<void> {
  try {
    for (let path = directory; path.startsWith(first); path = dirname(path)) await rmdir(path)
  } catch {
    // somebody put something there: not ours to remove
  }
}

async function refuseContent(bundle: string): Promise<void> {
  if (!(await stat(bundle)).isDirectory() || (await readdir(bundle)).length > 0) {
    throw new CaissonError('ERR_EXISTS', `${bundle} exists and is not an empty directory`, {
      path: bundle,
      phase: 'unpack',
      hint: 'remove it first, or unpack to another place',
    })
  }
}
