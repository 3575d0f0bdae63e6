/** The archives of `docker save`: images listed in manifest.json, with layers as archives beside it, in any order. */
import { createHash } from 'node:crypto'
import { CaissonError, SpecError } from '../../errors.ts'
import type { LayerOperation } from '../../native/layer.ts'
import { identifyBlob } from '../../native/archive.ts'
import type { Descriptor, DockerArchiveImage, ImageIndex } from '../../spec/index.ts'
import { dockerName, IMAGE_NAME } from '../docker-name.ts'
import { parseArchiveManifest, parseConfig } from '../document.ts'
import { isCompressed, layerType, MEDIA_TYPE, type LayerCompression } from '../media-type.ts'
import type { Archive } from './archive.ts'
import { LAYOUT_FILE } from './layout-files.ts'
import { OciArchive } from './oci-archive.ts'
import { readRange, readStart } from './read.ts'
import type { FileRange, ImageSource } from './source.ts'
import { TemporaryFile } from './temporary-file.ts'

/** Opens it as the OCI layout that Docker 25 and later include, otherwise by its manifest.json. */
export async function openDockerArchive(
  archive: Archive,
  operation: LayerOperation = {},
): Promise<ImageSource> {
  if (archive.find(LAYOUT_FILE)) return OciArchive.open(archive, 'docker-archive')
  return DockerArchive.open(archive, operation)
}

/**
 * Docker's configurations are used unchanged, so that ids are kept. Such an archive has no manifests, so OCI manifests
 * are created here. Layers are ranges of the archive.
 */
class DockerArchive implements ImageSource {
  readonly transport = 'docker-archive'
  readonly path: string
  readonly #archive: Archive
  readonly #manifests: Descriptor[] = []
  readonly #blobs = new Map<string, FileRange>()
  readonly #made: TemporaryFile

  private constructor(archive: Archive, made: TemporaryFile) {
    this.#archive = archive
    this.#made = made
    this.path = archive.path
  }

  static async open(archive: Archive, operation: LayerOperation = {}): Promise<DockerArchive> {
    const images = await listedImages(archive)
    const source = new DockerArchive(archive, await TemporaryFile.create())
    try {
      for (const [index, image] of images.entries()) await source.#add(image, `[${index}]`, operation)
      return source
    } catch (error) {
      source.#made.close()
      throw error
    }
  }

  index(): Promise<ImageIndex> {
    return Promise.resolve({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [...this.#manifests] })
  }

  locate(digest: string): Promise<FileRange | undefined> {
    return Promise.resolve(this.#blobs.get(digest))
  }

  async close(): Promise<void> {
    this.#made.close()
    await this.#archive.close()
  }

  async #add(
    { Config, RepoTags, Layers }: DockerArchiveImage,
    at: string,
    operation: LayerOperation = {},
  ): Promise<void> {
    const place = this.#find(Config, `${at}.Config`)
    const text = await readRange(place, `${Config} in ${this.path}`)
    const config = this.#put(text, MEDIA_TYPE.config, place)
    const { rootfs, os, architecture, variant } = await parseConfig(text, `${Config} in ${this.path}`)
    if (rootfs.diff_ids.length !== Layers.length) {
      const message = `has ${Layers.length} layers, the configuration ${rootfs.diff_ids.length} diffIDs`
      throw new SpecError('ERR_INVALID_IMAGE', `${this.path}: manifest.json`, [
        { path: `${at}.Layers`, message },
      ])
    }
    const layers: Descriptor[] = []
    for (const [index, name] of Layers.entries()) {
      const range = this.#find(name, `${at}.Layers[${index}]`)
      layers.push(await this.#layer(range, rootfs.diff_ids[index]!, operation))
    }
    const manifest = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers }),
    )
    const made = this.#put(manifest, MEDIA_TYPE.manifest, this.#made.append(manifest))
    const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) }
    const names = (RepoTags ?? []).map((name) => ({ [IMAGE_NAME]: dockerName(name) ?? name }))
    for (const annotations of names.length > 0 ? names : [undefined])
      this.#manifests.push({ ...made, platform, ...(annotations ? { annotations } : {}) })
  }

  #find(name: string, at: string): FileRange {
    const range = this.#archive.find(name)
    if (range) return range
    const message = `names ${JSON.stringify(name)}, which is not in the archive`
    throw new SpecError('ERR_INVALID_IMAGE', `${this.path}: manifest.json`, [{ path: at, message }])
  }

  #put(bytes: Buffer, mediaType: string, range: FileRange): Descriptor {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    this.#blobs.set(digest, range)
    return { mediaType, digest, size: bytes.length }
  }

  /**
   * The digest of an uncompressed layer is its diffID, which readers verify. That of a compressed one is computed now.
   */
  async #layer(range: FileRange, diffId: string, operation: LayerOperation = {}): Promise<Descriptor> {
    let [digest, compression]: [string, LayerCompression] = [diffId, 'none']
    if (isCompressed(await readStart(range, 4))) {
      const found = await identifyBlob(range, operation)
      ;[digest, compression] = [found.digest, found.compression as LayerCompression]
    }
    this.#blobs.set(digest, range)
    return { mediaType: layerType(compression), digest, size: range.size }
  }
}

async function listedImages(archive: Archive): Promise<DockerArchiveImage[]> {
  const text = await archive.read('manifest.json')
  if (text === undefined) {
    const old = archive.find('repositories') ? ' (one of Docker before 1.10)' : ''
    const message = `${archive.path} is not an archive of docker save${old}: it has no manifest.json`
    throw new CaissonError(old ? 'ERR_UNSUPPORTED_IMAGE' : 'ERR_IMAGE_NOT_FOUND', message, {
      path: archive.path,
      phase: 'resolve',
    })
  }
  return parseArchiveManifest(text, `${archive.path}: manifest.json`)
}
