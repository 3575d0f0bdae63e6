/** A plain root file system: an archive of `docker export` or `tar -c`, or a directory. */
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { CaissonError } from '../../errors.ts'
import { identifyBlob } from '../../native/archive.ts'
import type { LayerOperation } from '../../native/layer.ts'
import { packTo } from '../../native/write-layer.ts'
import { processRights } from '../../native/rights.ts'
import type { Descriptor, ImageIndex } from '../../spec/index.ts'
import { layerType, MEDIA_TYPE, type LayerCompression } from '../media-type.ts'
import { hostPlatform } from '../platform.ts'
import { requireFile } from './archive.ts'
import { readSmallFile } from './small-file.ts'
import type { FileRange, ImageSource } from './source.ts'
import { TemporaryFile } from './temporary-file.ts'

interface Layer {
  range: FileRange
  digest: string
  diffId: string
  compression: LayerCompression
}

/** An image with one layer for this machine, and an empty configuration. */
export class Rootfs implements ImageSource {
  readonly transport: 'tar' | 'dir'
  readonly path: string
  readonly #blobs = new Map<string, FileRange>()
  readonly #manifest: Descriptor
  readonly #made: TemporaryFile

  private constructor(transport: 'tar' | 'dir', path: string, layer: Layer, made: TemporaryFile) {
    this.transport = transport
    this.path = path
    this.#made = made
    const { range, digest, diffId, compression } = layer
    this.#blobs.set(digest, range)
    const { os, architecture } = hostPlatform()
    const rootfs = { type: 'layers', diff_ids: [diffId] }
    const config = this.#put({ architecture, os, rootfs }, MEDIA_TYPE.config)
    const layers = [{ mediaType: layerType(compression), digest, size: range.size }]
    const document = { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers }
    this.#manifest = { ...this.#put(document, MEDIA_TYPE.manifest), platform: { os, architecture } }
  }

  /**
   * Reads the archive once to compute its digests. Throws `ERR_IMAGE_NOT_FOUND` for a missing file. Unpacking detects a
   * file that is not an archive.
   */
  static async archive(file: string, operation: LayerOperation = {}): Promise<Rootfs> {
    const path = resolve(file)
    const range = { path, offset: 0, size: await requireFile(path) }
    const { digest, diffId, compression } = await identifyBlob(range, operation)
    const layer = { range, digest, diffId, compression: compression as LayerCompression }
    return new Rootfs('tar', path, layer, await TemporaryFile.create())
  }

  /**
   * Packs the directory once, like a layer of a build. Throws `ERR_IMAGE_NOT_FOUND`, `ERR_INVALID_IMAGE` if it is not a
   * directory, `ERR_UNSUPPORTED_IMAGE` for the `dir:` format of skopeo, and `ERR_CHANGED` for a tree that changes
   * meanwhile.
   */
  static async directory(directory: string, operation: LayerOperation = {}): Promise<Rootfs> {
    const path = resolve(directory)
    await requireRootfs(path)
    const made = await TemporaryFile.create()
    try {
      const rootless = !processRights().changesOwners
      const { digest, diffId, size } = await packTo(made.fd, path, { rootless }, operation)
      const range = { path: made.path, offset: 0, size }
      return new Rootfs('dir', path, { range, digest: digest!, diffId: diffId!, compression: 'none' }, made)
    } catch (error) {
      made.close()
      throw error
    }
  }

  index(): Promise<ImageIndex> {
    return Promise.resolve({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [this.#manifest] })
  }

  locate(digest: string): Promise<FileRange | undefined> {
    return Promise.resolve(this.#blobs.get(digest))
  }

  close(): Promise<void> {
    this.#made.close()
    return Promise.resolve()
  }

  #put(document: object, mediaType: string): Descriptor {
    const bytes = Buffer.from(JSON.stringify(document))
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    this.#blobs.set(digest, this.#made.append(bytes))
    return { mediaType, digest, size: bytes.length }
  }
}

async function requireRootfs(path: string): Promise<void> {
  const status = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT' && cause.code !== 'ENOTDIR') throw cause
    throw new CaissonError('ERR_IMAGE_NOT_FOUND', `${path} does not exist`, { path, phase: 'resolve', cause })
  })
  if (!status.isDirectory()) {
    throw new CaissonError('ERR_INVALID_IMAGE', `${path} is not a directory`, { path, phase: 'resolve' })
  }
  if (!(await isSkopeoDirectory(path))) return
  // Packed verbatim, an image would become a root file system of blobs, which is never intended.
  throw new CaissonError(
    'ERR_UNSUPPORTED_IMAGE',
    `${path} is an image in the dir: format of skopeo, not a root file system`,
    {
      path,
      phase: 'resolve',
      hint: `skopeo copy dir:${path} oci:DIRECTORY:TAG makes a layout of it`,
    },
  )
}

async function isSkopeoDirectory(path: string): Promise<boolean> {
  const version = join(path, 'version')
  const status = await stat(version).catch(() => undefined)
  if (!status?.isFile() || status.size > 100) return false
  const text = await readSmallFile(version).catch(() => '')
  return text.toString('latin1').startsWith('Directory Transport Version: ')
}
