/** A root file system as one archive, compressed or not: what `docker export` and `tar -c` write. */
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { identifyBlob } from '../../native/archive.ts'
import type { Descriptor, ImageIndex } from '../../spec/index.ts'
import { layerType, MEDIA_TYPE, type LayerCompression } from '../media-type.ts'
import { hostPlatform } from '../platform.ts'
import { requireFile } from './archive.ts'
import type { FileRange, ImageSource } from './source.ts'
import { TemporaryFile } from './temporary-file.ts'

/** An image of one layer, for this machine, whose configuration says nothing. The archive is read once to know its digests. */
export class RootfsArchive implements ImageSource {
  readonly transport = 'tar'
  readonly path: string
  readonly #blobs: ReadonlyMap<string, FileRange>
  readonly #manifest: Descriptor
  readonly #made: TemporaryFile

  private constructor(
    path: string,
    blobs: ReadonlyMap<string, FileRange>,
    manifest: Descriptor,
    made: TemporaryFile,
  ) {
    this.path = path
    this.#blobs = blobs
    this.#manifest = manifest
    this.#made = made
  }

  /** Throws `ERR_IMAGE_NOT_FOUND` where there is no file. Whether it is an archive, unpacking tells. */
  static async open(file: string, signal?: AbortSignal): Promise<RootfsArchive> {
    const path = resolve(file)
    const range = { path, offset: 0, size: await requireFile(path) }
    const { digest, diffId, compression } = await identifyBlob(range, { signal })
    const made = await TemporaryFile.create()
    const blobs = new Map([[digest, range]])
    const put = (document: object, mediaType: string): Descriptor => {
      const bytes = Buffer.from(JSON.stringify(document))
      const own = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
      blobs.set(own, made.append(bytes))
      return { mediaType, digest: own, size: bytes.length }
    }
    const { os, architecture } = hostPlatform()
    const rootfs = { type: 'layers', diff_ids: [diffId] }
    const config = put({ architecture, os, rootfs }, MEDIA_TYPE.config)
    const layers = [{ mediaType: layerType(compression as LayerCompression), digest, size: range.size }]
    const document = { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers }
    const manifest = { ...put(document, MEDIA_TYPE.manifest), platform: { os, architecture } }
    return new RootfsArchive(path, blobs, manifest, made)
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
}
