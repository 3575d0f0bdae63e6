/** A container from an image: layers of the store under an overlay, or copied where no overlay can be mounted. */
import { rename } from 'node:fs/promises'
import { relative } from 'node:path'
import { CaissonError } from '../../errors.ts'
import type { IdMappings, Image, Snapshot, UnpackOptions } from '../../image/index.ts'
import { nativeIdMaps, resolveIdMappings } from '../../image/id-mappings.ts'
import { originOf } from '../../image/origin.ts'
import { toRuntimeConfig } from '../../image/runtime-config.ts'
import { removeTree, type IdMaps } from '../../native/layer.ts'
import { flattenLayers } from '../../native/store.ts'
import { processRights } from '../../native/rights.ts'
import type { RuntimeSpec } from '../../spec/index.ts'
import { formatJson } from '../../spec/json/format.ts'
import { boundLimits } from './default-limits.ts'
import { leaseOf, type ContainerPlace } from './container-place.ts'
import type { LayerOptions } from './layer-options.ts'
import { ownBundle } from './own-bundle.ts'
import { parseSize } from './size.ts'
import { usersOf, type Resolved } from './source.ts'
import { applyOptions, withDefaultProfile, type SpecOptions } from './spec-options.ts'

/** A name below the store that nothing has. */
const NO_DIRECTORY = 'containers/none'

/** Why overlays cannot be mounted here, once it was tried. */
let unavailable: string | undefined

/** Throws `ERR_INVALID_OPTION` and what images throw. */
export async function resolveImage(
  source: Image | string,
  options: SpecOptions & LayerOptions,
  place: ContainerPlace,
): Promise<Resolved> {
  const { layering, writable, writableSize } = options
  checkOptions(options)
  const tmpfsSize = writableSize === undefined ? {} : { tmpfsSize: parseSize(writableSize, 'writableSize') }
  const idMappings = options.idMappings && resolveIdMappings(options.idMappings)
  // Root of the host maps owners when layers are mounted or copied.
  const unpacking = {
    signal: place.signal,
    ...(processRights().administersHost || !idMappings ? {} : { idMappings }),
  }
  const { signal } = place
  const store = await place.store()
  const opened = typeof source === 'string' ? await place.images.open(source, signal) : undefined
  const image = opened?.image ?? (source as Image)
  const origin = originOf(image)
  let snapshot: Snapshot | undefined
  try {
    try {
      snapshot = await store.prepare(image, unpacking)
    } catch (error) {
      const failed = error instanceof CaissonError && error.code === 'ERR_OVERLAY_UNAVAILABLE'
      if (!failed || layering === 'overlay') throw error
      place.warn(`the image is unpacked for every container: ${error.message}`)
      return { ...(await unpacked()), image: origin }
    }
    const config = configOf(image, snapshot.layers, options, idMappings, place.rootless)
    const copies = layering === 'copy' || (layering === undefined && unavailable !== undefined)
    const resolved = copies ? await copiedOrUnpacked(snapshot, config) : await mounted(snapshot, config)
    return { ...resolved, image: origin }
  } catch (error) {
    snapshot?.close()
    throw error
  } finally {
    await opened?.close()
  }

  async function mounted(snapshot: Snapshot, config: RuntimeSpec): Promise<Resolved> {
    const { chainIds } = snapshot
    const tmpfs = writable === 'tmpfs' || (writable === undefined && store.liesOnOverlay())
    const lease = leaseOf(place, chainIds)
    // With everything in memory the lock of the snapshot is all that is needed, as long as this process is there.
    const directory = tmpfs && !lease ? undefined : await store.containerDirectory(lease)
    return {
      bundle: store.snapshotDirectory(snapshot.chainId),
      config: formatJson(config),
      overlay: {
        store: store.root,
        lower: chainIds.map((chainId) => store.layerPath(chainId)),
        container: directory ? relative(store.root, directory.path) : NO_DIRECTORY,
        tmpfs,
        volatile: true,
        ...tmpfsSize,
      },
      directory: directory?.path,
      async dispose() {
        await directory?.remove()
        snapshot.close()
      },
      async withoutOverlay(error) {
        if (layering !== undefined) return undefined
        unavailable = error.message
        place.warn(`the image is copied for every container, as no overlay can be mounted: ${error.message}`)
        await directory?.remove()
        return { ...(await copied(snapshot, config)), image: origin }
      },
    }
  }

  /** An ordinary user cannot read back files that an image closes to their owner or that belong to other ids. */
  async function copiedOrUnpacked(snapshot: Snapshot, config: RuntimeSpec): Promise<Resolved> {
    try {
      return await copied(snapshot, config)
    } catch (error) {
      if (processRights().changesOwners || !(error instanceof CaissonError) || error.errno !== 'EACCES')
        throw error
      snapshot.close()
      return unpacked()
    }
  }

  /** Without a snapshot. */
  function unpacked(): Promise<Resolved> {
    return bundled((rootfs) => unpack(image, rootfs, { ...options, idMappings }, place.rootless, unpacking))
  }

  /** A bundle for this container alone, on the disk of the store. */
  async function bundled(fill: (rootfs: string) => Promise<RuntimeSpec>): Promise<Resolved> {
    return ownBundle(await store.containerDirectory(leaseOf(place, [])), fill)
  }

  async function copied(snapshot: Snapshot, config: RuntimeSpec): Promise<Resolved> {
    const idMaps = nativeMapsOf(config)
    const resolved = await bundled(async (rootfs) => {
      await flattenLayers(snapshot.layers, rootfs, { signal, idMaps })
      return config
    })
    snapshot.close()
    return resolved
  }
}

/** All layers, for one container; the configuration says who runs the program, which the files know. */
async function unpack(
  image: Image,
  rootfs: string,
  { idMappings, ...options }: SpecOptions & { idMappings: IdMappings | undefined },
  rootless: boolean,
  unpacking: Pick<UnpackOptions, 'signal' | 'idMappings'>,
): Promise<RuntimeSpec> {
  await image.unpackRootfs(rootfs, unpacking)
  const config = configOf(image, [rootfs], options, idMappings, rootless)
  const idMaps = nativeMapsOf(config)
  if (idMaps) {
    // Which user runs the program is looked up in the files first, and the last word on ids has the configuration.
    const plain = `${rootfs}.plain`
    await rename(rootfs, plain)
    await flattenLayers([plain], rootfs, { signal: unpacking.signal, idMaps })
    await removeTree(plain)
  }
  return config
}

/** `roots`: layers, the top one first, or one root file system. */
function configOf(
  image: Image,
  roots: readonly string[],
  options: SpecOptions,
  idMappings: IdMappings | undefined,
  rootless: boolean,
): RuntimeSpec {
  const { args, terminal, ...changes } = options
  const users = usersOf(...roots)
  // A user who is asked for takes the place of the image's; HOME is then set at the start, from passwd.
  const ofImage = options.user === undefined ? users : () => ({ uid: 0, gid: 0, additionalGids: [] })
  const spec = toRuntimeConfig(image.runnable(), { rootless, args, terminal, idMappings }, ofImage)
  return applyOptions(boundLimits(spec), withDefaultProfile(changes), users)
}

/**
 * Owners of copied files where root of the host makes a user namespace: an overlay maps them when mounted, a copy has
 * to be made so.
 */
function nativeMapsOf({ linux }: RuntimeSpec): IdMaps | undefined {
  const namespace = linux?.namespaces?.find(({ type }) => type === 'user')
  if (!processRights().administersHost || !namespace) return undefined
  if (namespace.path) {
    const message =
      'a copy of the files needs owners, and the ids of a user namespace that is joined are not known'
    throw new CaissonError('ERR_OVERLAY_UNAVAILABLE', message, { phase: 'prepare', path: namespace.path })
  }
  const { uidMappings, gidMappings } = linux ?? {}
  return uidMappings && gidMappings ? nativeIdMaps({ uidMappings, gidMappings }) : undefined
}

function checkOptions({ layering, writable, writableSize }: LayerOptions): void {
  const refuse = (message: string): never => {
    throw new CaissonError('ERR_INVALID_OPTION', message, { phase: 'validate' })
  }
  if (writable !== undefined && layering === 'copy') refuse('writable is for overlays: a copy is on disk')
  if (writableSize !== undefined && writable !== 'tmpfs') refuse("writableSize needs writable: 'tmpfs'")
}
