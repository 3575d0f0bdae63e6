/**
 * Writes images to a new archive in the form of `docker save` since Docker 25: an OCI layout, and a manifest.json that
 * refers to the same files. Older versions of Docker, podman and skopeo read the latter, containerd the former; blobs
 * are not changed.
 */
import { CaissonError } from '../../errors.ts'
import type { Descriptor, DockerArchiveImage } from '../../spec/index.ts'
import { dockerName, IMAGE_NAME } from '../docker-name.ts'
import { parseConfig, parseManifest } from '../document.ts'
import { layerBlobs } from '../layer-blobs.ts'
import { REF_NAME } from '../layout.ts'
import { isConfigType } from '../media-type.ts'
import { blobName } from '../source/layout-files.ts'
import { readDocument } from '../source/read.ts'
import type { ArchiveFile } from './archive-file.ts'
import { layoutDocuments } from './oci-archive.ts'
import type { BlobOrigin, Copied, CopyOperation, ImageSet, ImageTarget } from './target.ts'

export class DockerArchiveTarget implements ImageTarget {
  readonly transport = 'docker-archive'
  /** manifest.json lists images, each for one platform. */
  readonly takesIndexes = false
  readonly #file: ArchiveFile

  constructor(file: ArchiveFile) {
    this.#file = file
  }

  get path(): string {
    return this.#file.path
  }

  /** A bare tag such as `latest` is not a name here, unless the caller requests it. */
  nameOf(
    wanted: string | undefined,
    { entry: { annotations } }: { tag: string | undefined; entry: Descriptor },
  ): string | undefined {
    if (wanted === undefined) {
      const [name, tag] = [annotations?.[IMAGE_NAME], annotations?.[REF_NAME]]
      return dockerName(name ?? (tag !== undefined && /[/:]/.test(tag) ? tag : ''))
    }
    const name = dockerName(wanted)
    if (name !== undefined) return name
    throw new CaissonError('ERR_INVALID_OPTION', `${JSON.stringify(wanted)} is not a valid name`, {
      phase: 'validate',
      hint: 'write it as docker does: [REGISTRY/]NAME[:TAG]',
    })
  }

  async write(set: ImageSet, operation: CopyOperation): Promise<Copied> {
    const listed = new Map<string, DockerArchiveImage & { RepoTags: string[] }>()
    for (const { descriptor, name } of set.images) {
      const { digest } = descriptor
      const image = listed.get(digest) ?? (await listedImage(set.blobs.get(digest)!))
      if (name !== undefined) image.RepoTags.push(name)
      listed.set(digest, image)
    }
    const images = [...listed.values()].map((image) => ({
      ...image,
      RepoTags: image.RepoTags.length > 0 ? image.RepoTags : null,
    }))
    const names = (name: string): Record<string, string> => ({
      [IMAGE_NAME]: name,
      [REF_NAME]: name.slice(name.lastIndexOf(':') + 1),
    })
    const documents = { ...layoutDocuments(set.images, names), 'manifest.json': JSON.stringify(images) }
    return this.#file.write(documents, set, operation)
  }
}

/** Throws `ERR_UNSUPPORTED_IMAGE` for an artifact, `ERR_BLOB_NOT_FOUND` for a layer stored elsewhere (`urls`). */
async function listedImage({
  source,
  descriptor,
}: BlobOrigin): Promise<DockerArchiveImage & { RepoTags: string[] }> {
  const { digest, mediaType } = descriptor
  const manifest = await parseManifest(
    await readDocument(source, descriptor),
    `manifest ${digest}`,
    mediaType,
  )
  const config = isConfigType(manifest.config.mediaType)
    ? await parseConfig(
        await readDocument(source, manifest.config),
        `configuration ${manifest.config.digest}`,
      )
    : undefined
  await layerBlobs({ source, digest, manifest, config }) // all exist, and as many as in the configuration
  return {
    Config: blobName(manifest.config.digest),
    RepoTags: [],
    Layers: manifest.layers.map((layer) => blobName(layer.digest)),
  }
}
