/** What a container is made from, as a bundle directory and, where something was changed, its configuration. */
import { isUtf8 } from 'node:buffer'
import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CaissonError, SpecError } from '../../errors.ts'
import type { Image } from '../../image/index.ts'
import type { ImageOrigin } from '../../image/origin.ts'
import type { OverlayRequest } from '../../native/engine.ts'
import { lookUpUser, type UserIds } from '../../native/layer.ts'
import type { RuntimeSpec } from '../../spec/index.ts'
import { readSmallFile } from '../../image/source/small-file.ts'
import { formatJson } from '../../spec/json/format.ts'
import { boundLimits } from './default-limits.ts'
import { defaultSpec } from '../../image/default-spec.ts'
import type { ContainerPlace } from './container-place.ts'
import type { LayerOptions } from './layer-options.ts'
import { applyOptions, changesSpec, type SpecOptions } from './spec-options.ts'

/**
 * A bundle directory with config.json; a root file system, which gets runc's default configuration; an image, by
 * reference (`'oci:dir[:tag]'`, see `parseReference`) or opened, with its layers in the store; or `'host'`: programs of
 * this host, and nothing else of it.
 */
export type Source =
  { bundle: string; config?: string | undefined } | { rootfs: string } | Image | 'host' | (string & {})

export interface Resolved {
  /** Absolute. */
  bundle: string
  /** JSON text; undefined: config.json of the bundle as it is. */
  config: string | undefined
  /** The root file system in place of `root.path`. */
  overlay?: OverlayRequest
  /** What it is from. */
  image?: ImageOrigin
  /** What to do where the overlay cannot be mounted; resolves to undefined where the caller insists on it. */
  withoutOverlay?: (error: CaissonError) => Promise<Resolved | undefined>
  /** Absolute path of a directory that goes with the container: this process removes it by `dispose`. */
  directory?: string | undefined
  /** Removes what was made for this container only. */
  dispose: () => Promise<void>
}

/** Bytes of config.json; the native side has the same limit. */
const MAX_CONFIG_BYTES = 16 << 20

function decoded(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString()
  throw new SpecError('ERR_INVALID_SPEC', 'config.json', [{ path: '', message: 'not UTF-8' }])
}

const nothing = (): Promise<void> => Promise.resolve()

/** Throws `ERR_INVALID_OPTION`, `ERR_INVALID_BUNDLE`, `ERR_INVALID_SPEC` and what images throw. */
export async function resolveSource(
  source: Source,
  options: SpecOptions & LayerOptions,
  place: ContainerPlace,
): Promise<Resolved> {
  if (!isImage(source)) refuseLayerOptions(options)
  if (typeof source === 'object' && source !== null && 'bundle' in source)
    return fromBundle(source.bundle, options, source.config)
  if (typeof source === 'object' && source !== null && 'rootfs' in source)
    return fromRootfs(source.rootfs, options, place)
  // Loaded on first use: most containers of a service come from bundles.
  if (source === 'host') return (await import('./host-source.ts')).resolveHost(options, place)
  return (await import('./image-source.ts')).resolveImage(source, options, place)
}

function refuseLayerOptions(options: LayerOptions): void {
  const why: Readonly<Record<keyof Required<LayerOptions>, string>> = {
    layering: 'is for images: nothing else has layers',
    idMappings: 'is for images: a configuration has linux.uidMappings and linux.gidMappings',
    writable: 'is for images: what else there is is written to itself, unless it is readonly',
    writableSize: 'is for images, with writable: tmpfs',
  }
  const issues = Object.entries(why).flatMap(([path, message]) =>
    options[path as keyof LayerOptions] === undefined ? [] : [{ path, message }],
  )
  if (issues.length > 0) throw new SpecError('ERR_INVALID_OPTION', 'options', issues)
}

function isImage(source: Source): source is Image | string {
  if (typeof source === 'string') return source !== 'host'
  return !('bundle' in source || 'rootfs' in source)
}

async function fromBundle(path: string, options: SpecOptions, config?: string): Promise<Resolved> {
  const bundle = resolve(path)
  if (config === undefined && !changesSpec(options)) return { bundle, config: undefined, dispose: nothing }
  const file = config === undefined ? join(bundle, 'config.json') : resolve(config)
  let text: string
  try {
    text = decoded(await readSmallFile(file, { limit: MAX_CONFIG_BYTES, code: 'ERR_INVALID_BUNDLE' }))
  } catch (cause) {
    if (cause instanceof CaissonError) throw cause
    const { code } = cause as NodeJS.ErrnoException
    // COMPAT(runc): its sentence for a bundle without a configuration.
    const message =
      code === 'ENOENT' ? `JSON specification file ${file} not found` : `cannot read ${file}: ${code}`
    throw new CaissonError('ERR_INVALID_BUNDLE', message, {
      phase: 'validate',
      errno: code,
      path: file,
      cause,
    })
  }
  if (!changesSpec(options)) return { bundle, config: text, dispose: nothing }
  // Loaded on first use: an unchanged configuration is read by the native side alone.
  const { readObject } = await import('../../spec/json/object.ts')
  const spec = readObject(text, 'config.json') as RuntimeSpec
  const rootfs = resolve(bundle, spec.root?.path ?? 'rootfs')
  return { bundle, config: formatJson(applyOptions(spec, options, usersOf(rootfs))), dispose: nothing }
}

async function fromRootfs(path: string, options: SpecOptions, place: ContainerPlace): Promise<Resolved> {
  const rootfs = resolve(path)
  const spec = { ...base(place.rootless), root: { path: rootfs, readonly: false } }
  if (!statSync(rootfs, { throwIfNoEntry: false })?.isDirectory()) {
    throw new CaissonError('ERR_INVALID_BUNDLE', `the root file system ${rootfs} is not a directory`, {
      phase: 'validate',
      path: rootfs,
    })
  }
  return {
    bundle: rootfs,
    config: formatJson(applyOptions(spec, options, usersOf(rootfs))),
    dispose: nothing,
  }
}

/** Users of a root file system, or of the layers that it is made of, the top one first. */
export function usersOf(...roots: readonly string[]): (user: string) => UserIds {
  return (user) => lookUpUser(roots, user)
}

/** runc's default configuration. */
export function base(rootless: boolean): RuntimeSpec {
  const spec = boundLimits(defaultSpec({ rootless }))
  return { ...spec, process: { ...spec.process!, terminal: false } }
}
