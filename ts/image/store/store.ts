/** A store: content by digest, and layers unpacked once for all processes. */
import { availableParallelism } from 'node:os'
import { statfsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { explainErrors } from '../../boundary.ts'
import { CaissonError, systemError } from '../../errors.ts'
import { hostPath, makeDirectories } from '../host-path.ts'
import { lockStore, type FileLock } from '../../native/lock.ts'
import { importLayers, sweepIngest } from '../../native/store.ts'
import { lockDirectory } from '../../native/lock.ts'
import { processRights } from '../../native/rights.ts'
import { checkArgument, checkOptions, text as isText } from '../../options.ts'
import { chainIds as chainIdsOf } from '../../spec/chain-id.ts'
import { resolveIdMappings, type IdMappings } from '../id-mappings.ts'
import { Image } from '../image.ts'
import { Layout, REF_NAME } from '../layout.ts'
import {
  collectOptions,
  imageOrReference,
  importOptions,
  inspectOptions,
  prepareOptions,
  repairOptions,
  storeOptions,
} from '../options/known.ts'
import { image as isImage } from '../options/parts.ts'
import { isTag, parseReference } from '../reference.ts'
import { operationOf, unpackRequest, type SkippedEntry, type UnpackOptions } from '../unpack.ts'
import { collect, type CollectOptions, type CollectResult } from './collect.ts'
import { containersPath, ContainerDirectory, sweepContainers, type Lease } from './container-directory.ts'
import { copyContent } from './content.ts'
import {
  completeImages,
  inspect,
  removeDamaged,
  type InspectOptions,
  type RepairResult,
  type StoreHealth,
} from './health.ts'
import { listStore, type StoreListing } from './list.ts'
import { defaultStoreHint, defaultStoreRoot } from './root.ts'
import { subordinateMaps } from './remove.ts'
import { layerPath, listSnapshots, readRecord, snapshotPath } from './snapshot-files.ts'
import { chainIdOf, mappedId, mappingText } from './snapshot-id.ts'
import { tryOpenSnapshot, type Snapshot } from './snapshot.ts'

/** A garbage collector removes a new snapshot at most once; more failures have another cause. */
const ATTEMPTS = 8

export interface StoreOptions {
  /** Directory. Default `$CAISSON_STORE`, else `/var/lib/caisson` as root and `~/.local/share/caisson` otherwise. */
  root?: string | undefined
  /**
   * Whether a new snapshot is synced to disk before it gets its name: `'syncfs'` (default) or `'none'`, which is
   * faster, but a power loss may leave damage that `verify` finds.
   */
  durability?: 'none' | 'syncfs' | undefined
  /** Number of layers unpacked in parallel. Default: the number of processors. */
  workers?: number | undefined
}

/** Limits and policies as with `Image.unpack`, an AbortSignal, and progress. */
export interface PrepareOptions extends Omit<UnpackOptions, 'rootless' | 'keepDirlinks'> {
  /** Called for every layer that this call has unpacked, base first. */
  onLayer?: ((layer: UnpackedLayer) => void) | undefined
}

export interface UnpackedLayer {
  chainId: string
  entries: number
  /** Size of its files. */
  bytes: number
  /** What was changed or left out; at most a thousand entries. */
  skipped: SkippedEntry[]
}

export interface ImportOptions extends PrepareOptions {
  /** Name in the store. Default: the tag of the reference; without one the image is found by its digest. */
  name?: string | undefined
}

/**
 * Creating one costs nothing. Any number of processes share a store, and may die at any moment without damaging it.
 *
 * @example
 * ```ts
 * const store = new Store()
 * await store.import('oci:./images:alpine')
 * const { stdout } = await new Runtime({ store }).run(await store.open('alpine'), ['cat', '/etc/os-release'])
 * ```
 */
export class Store implements AsyncDisposable {
  /** Absolute. */
  readonly root: string
  readonly durability: 'none' | 'syncfs'
  readonly workers: number
  readonly #open = new Set<Snapshot>()
  /** The hint if it cannot be created. */
  readonly #hint: string | undefined
  #swept: Promise<unknown> | undefined
  #onOverlay: boolean | undefined

  constructor(options: StoreOptions = {}) {
    checkOptions(options, storeOptions)
    const { root, durability = 'syncfs', workers = availableParallelism() } = options
    this.root = root === undefined ? resolve(defaultStoreRoot()) : hostPath(root, 'root')
    if (root === undefined) this.#hint = defaultStoreHint()
    this.durability = durability
    this.workers = workers
  }

  /** Imports an image: copies its blobs, verified, and unpacks its layers. Rejects like `Image.unpack`. */
  async import(source: Image | string, options: ImportOptions = {}): Promise<Image> {
    checkArgument('source', source, imageOrReference)
    checkOptions(options, importOptions)
    const { name = tagOf(source), ...preparing } = options
    const { signal } = preparing
    if (name !== undefined && !isTag(name)) throw invalid(`the name ${JSON.stringify(name)} is not valid`)
    const image =
      typeof source === 'string' ? await Image.open(source, { signal, limits: preparing.limits }) : source
    const layout = await this.#layout()
    using blobs = await layout.protect(signal) // until they are in the index; gc waits for it, too
    await copyContent(image, layout, signal)
    const imported = await Image.from(layout, image.descriptor, { limits: preparing.limits ?? image.limits })
    if (imported.config) (await this.prepare(imported, preparing)).close()
    await layout.add(image.descriptor, name)
    blobs[Symbol.dispose]()
    return imported
  }

  /** An image of the store, by its name or the digest of its manifest. Rejects with `ERR_IMAGE_NOT_FOUND`. */
  async open(name: string): Promise<Image> {
    checkArgument('name', name, isText)
    const separator = /^[a-z0-9]+:[a-f0-9]{32,}$/.test(name) ? '@' : ':'
    return Image.open(`oci:${this.root}${separator}${name}`)
  }

  /**
   * Opens the snapshot of an image, unpacking missing layers: verified, in parallel, each in one process only. The
   * image's blobs are not stored, so `gc` may remove the layers when they are not in use, unless the image was
   * imported. With `idMappings`, for an unprivileged user, files have mapped owners, and the snapshot is a whole image
   * that shares no layers.
   */
  async prepare(image: Image, given: PrepareOptions = {}): Promise<Snapshot> {
    checkArgument('image', image, isImage)
    checkOptions(given, prepareOptions)
    const options = { ...given, limits: given.limits ?? image.limits }
    if (options.idMappings) return this.#prepareMapped(image, options, resolveIdMappings(options.idMappings))
    const chainIds = chainIdsOf(image.diffIds())
    const top = chainIds.at(-1)
    if (top === undefined) throw withoutLayers(image)
    const downwards = [...chainIds].reverse()
    // Without a lock of the store: the shared lock of an existing snapshot is enough.
    const there = tryOpenSnapshot(this.root, top, downwards)
    if (there) return this.#track(there)
    const { signal } = options
    await this.#layout()
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const blobs = await image.layers()
      const request = {
        unpack: unpackRequest(blobs, this.root, options),
        chainIds,
        sync: this.durability === 'syncfs',
        workers: this.workers,
      }
      const imported = await importLayers(request, operationOf(blobs, options))
      for (const [index, layer] of imported.entries()) {
        const { entries = 0, bytes = 0, skipped = [] } = layer ?? {}
        if (layer) options.onLayer?.({ chainId: chainIds[index]!, entries, bytes, skipped })
      }
      const made = tryOpenSnapshot(this.root, top, downwards)
      if (made) return this.#track(made)
      signal?.throwIfAborted() // a garbage collector removed it in between: retry
    }
    throw removedMeanwhile(this.root, top)
  }

  /** Opens an existing snapshot. Rejects with `ERR_NOT_FOUND`. */
  async snapshot(chainId: string): Promise<Snapshot> {
    checkArgument('chainId', chainId, isText)
    const snapshot = tryOpenSnapshot(this.root, chainId)
    if (snapshot) return this.#track(snapshot)
    const message = `${this.root} has no snapshot ${chainId}`
    throw new CaissonError('ERR_NOT_FOUND', message, { phase: 'resolve', path: this.root })
  }

  /** The content of the store. */
  async list(): Promise<StoreListing> {
    return listStore(this.root, (await this.#exists()) ? await this.#layout() : undefined)
  }

  /**
   * Removes an image, by name or digest. The next `gc` removes what only it referred to. Rejects with
   * `ERR_IMAGE_NOT_FOUND`.
   */
  async remove(name: string): Promise<void> {
    checkArgument('name', name, isText)
    const layout = await this.#layout()
    if (await layout.forget(name)) return
    const message = `${this.root} has no image ${JSON.stringify(name)}`
    throw new CaissonError('ERR_IMAGE_NOT_FOUND', message, { phase: 'resolve', path: this.root })
  }

  /** Removes what no image refers to and no process uses. Waits for imports to end. */
  async gc(options: CollectOptions = {}): Promise<CollectResult> {
    checkOptions(options, collectOptions)
    const layout = await this.#layout()
    // First the lock of blob writers, then that of unpackers: an import takes both in this order.
    using blobs = await lockDirectory(join(this.root, 'blobs'), 'exclusive', options.signal)
    using lock = await lockStore(this.root, 'exclusive', options.signal)
    await this.#sweepIngest()
    const result = await collect(layout, options)
    lock.close()
    blobs[Symbol.dispose]()
    return result
  }

  /** Compares everything with its record: every byte, unless `contents` is false. */
  async verify(options: InspectOptions = {}): Promise<StoreHealth> {
    checkOptions(options, inspectOptions)
    const layout = await this.#layout()
    using lock = await lockStore(this.root, 'shared', options.signal)
    const health = await inspect(layout, options)
    lock.close()
    return health
  }

  /** Removes what `verify` finds damaged, and recreates it if the content exists. */
  async repair(given: PrepareOptions & InspectOptions = {}): Promise<RepairResult> {
    checkOptions(given, repairOptions)
    const { contents, ...options } = given
    const layout = await this.#layout()
    const mapped = new Map<string, IdMappings[]>()
    let lock: FileLock | undefined = await lockStore(this.root, 'exclusive', options.signal)
    let result
    try {
      await this.#sweepIngest()
      const { damaged } = await inspect(layout, { contents, signal: options.signal })
      for (const { id } of damaged) {
        const mapping = readRecord(this.root, id)?.mapping
        if (mapping) mapped.set(chainIdOf(id), [...(mapped.get(chainIdOf(id)) ?? []), mapping])
      }
      result = await removeDamaged(layout, damaged)
    } finally {
      lock.close()
      lock = undefined
    }
    const before = new Set(listSnapshots(this.root))
    for (const image of await completeImages(layout)) {
      ;(await this.prepare(image, options)).close()
      for (const idMappings of mapped.get(chainIdsOf(image.diffIds()).at(-1)!) ?? []) {
        ;(await this.prepare(image, { ...options, idMappings })).close()
      }
    }
    const restored = listSnapshots(this.root).filter((chainId) => !before.has(chainId))
    return { ...result, restored }
  }

  /** @internal A directory for one container; the first one of a process sweeps leftovers of others. */
  async containerDirectory(lease?: Lease): Promise<ContainerDirectory> {
    // A leftover that cannot be removed does not prevent a container; gc reports it.
    await (this.#swept ??= sweepContainers(containersPath(this.root)).catch(() => {}))
    return ContainerDirectory.create(containersPath(this.root), lease)
  }

  /** @internal Path of a snapshot's layer below the store. */
  layerPath(chainId: string): string {
    return layerPath(chainId)
  }

  /** @internal Whether the store is on an overlay, as inside another container: containers cannot write there then. */
  liesOnOverlay(): boolean {
    const OVERLAYFS_SUPER_MAGIC = 0x794c7630
    return (this.#onOverlay ??= statfsSync(this.root).type === OVERLAYFS_SUPER_MAGIC)
  }

  /** @internal Path of a snapshot's directory. */
  snapshotDirectory(chainId: string): string {
    return resolve(this.root, snapshotPath(chainId))
  }

  /** Closes all snapshots that were opened here. */
  close(): void {
    for (const snapshot of this.#open) snapshot.close()
    this.#open.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  /** A whole image as one snapshot: layers cannot be stacked on files of other ids. */
  async #prepareMapped(image: Image, options: PrepareOptions, mappings: IdMappings): Promise<Snapshot> {
    if (processRights().administersHost)
      throw invalid('root needs no idMappings here: owners are mapped when an overlay is mounted')
    const chainIds = chainIdsOf(image.diffIds())
    const top = chainIds.at(-1)
    if (top === undefined) throw withoutLayers(image)
    const id = mappedId(top, mappings)
    for (let attempt = 0; attempt <= ATTEMPTS; attempt++) {
      const there = tryOpenSnapshot(this.root, id, [id])
      if (there) return this.#track(there)
      options.signal?.throwIfAborted()
      await this.#layout()
      const blobs = await image.layers()
      const request = {
        unpack: unpackRequest(blobs, this.root, options),
        chainIds,
        sync: this.durability === 'syncfs',
        workers: this.workers,
        mapped: { id, mapping: mappingText(mappings) },
      }
      const [layer] = await importLayers(request, operationOf(blobs, options))
      const { entries, bytes, skipped } = layer ?? { entries: 0, bytes: 0, skipped: [] }
      if (layer) options.onLayer?.({ chainId: id, entries, bytes, skipped })
    }
    throw removedMeanwhile(this.root, id)
  }

  /** Ranges of ids are only needed for files that are left then. */
  async #sweepIngest(): Promise<void> {
    await sweepIngest(this.root)
    const left = await readdir(join(this.root, 'ingest')).catch(() => [])
    const maps = left.length > 0 ? subordinateMaps() : undefined
    if (maps) await sweepIngest(this.root, maps)
  }

  /** Rejects where that cannot be told: a store that cannot be read is not an empty one. */
  async #exists(): Promise<boolean> {
    try {
      await stat(this.root)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw systemError(`cannot read the store ${this.root}`, error, { path: this.root, hint: this.#hint })
    }
  }

  async #layout(): Promise<Layout> {
    await makeDirectories(this.root, 0o700, this.#hint)
    return Layout.create(this.root)
  }

  #track(snapshot: Snapshot): Snapshot {
    this.#open.add(snapshot)
    snapshot.onClose(() => this.#open.delete(snapshot))
    return snapshot
  }
}
explainErrors(Store)

function tagOf(source: Image | string): string | undefined {
  return typeof source === 'string' ? parseReference(source).tag : source.descriptor.annotations?.[REF_NAME]
}

function withoutLayers({ digest }: Image): CaissonError {
  return new CaissonError('ERR_UNSUPPORTED_IMAGE', `${digest} has no layers`, { phase: 'unpack' })
}

function removedMeanwhile(store: string, id: string): CaissonError {
  const message = `cannot open snapshot ${id} in ${store}: removed by another process ${ATTEMPTS} times`
  return new CaissonError('ERR_CHANGED', message, { phase: 'unpack', path: store })
}

function invalid(message: string): CaissonError {
  return new CaissonError('ERR_INVALID_OPTION', message, { phase: 'validate' })
}
