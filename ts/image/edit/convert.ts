/** The same image with other media types (OCI, Docker) or another compression. */
import { CaissonError } from '../../errors.ts'
import { transcodeLayer } from '../../native/write-layer.ts'
import type { Descriptor } from '../../spec/index.ts'
import { copyLayers, type WriteOptions } from '../build/build.ts'
import { layerOutput, resolveCompression } from '../build/compression.ts'
import { draftOf, finishManifest, type Draft } from '../build/draft.ts'
import { layerBlobs, type ImageParts } from '../layer-blobs.ts'
import { copyBlob } from '../layout/copy-blob.ts'
import { writeNewBlob } from '../layout/new-blob.ts'
import { Layout } from '../layout.ts'
import {
  dockerMediaType,
  layerCompression,
  layerType,
  MEDIA_TYPE,
  type LayerCompression,
} from '../media-type.ts'
import { checkTag } from '../reference.ts'

export interface ConvertOptions extends Omit<WriteOptions, 'sourceDateEpoch'> {
  /** If absent, the layers are not changed. */
  compression?: WriteOptions['compression']
  /** Media types of the manifest; default `oci`. Docker's supports neither annotations nor zstd. */
  mediaTypes?: 'oci' | 'docker' | undefined
}

/**
 * Writes an image with the same root file system and configuration: diffIDs and Docker's image id are unchanged.
 */
export async function convertImage(image: ImageParts, options: ConvertOptions): Promise<Descriptor> {
  const { tag, compression = 'auto', mediaTypes = 'oci', signal, onProgress } = options
  checkTag(tag)
  const draft = draftOf(image)
  const wanted = resolveCompression(options, [])
  const compressions = draft.manifest.layers.map(({ mediaType }) =>
    compression === 'auto' ? layerCompression(mediaType) : wanted,
  )
  checkMediaTypes(mediaTypes, draft, compressions)
  if (compression === 'auto' && options.level !== undefined) {
    throw new CaissonError('ERR_INVALID_OPTION', 'level needs compression, which says what layers become', {
      phase: 'validate',
    })
  }
  const layout = typeof options.layout === 'string' ? await Layout.create(options.layout) : options.layout
  using _ = await layout.protect(signal)
  if (compression === 'auto') await copyLayers(image, layout, signal)
  else {
    const blobs = await layerBlobs(image)
    for (const [index, layer] of draft.manifest.layers.entries()) {
      if (layerCompression(layer.mediaType) === wanted && options.level === undefined) {
        const { source, digest, config } = image
        await copyLayers(
          { source, digest, config, manifest: { ...draft.manifest, layers: [layer] } },
          layout,
          signal,
        )
        continue
      }
      const operation = { signal, onProgress, limits: image.limits }
      const { digest, size } = await writeNewBlob(layout, (path) =>
        transcodeLayer(blobs[index]!, layerOutput(path, wanted, options), operation),
      )
      draft.manifest.layers[index] = { ...layer, mediaType: layerType(wanted), digest: digest!, size }
    }
  }
  await copyBlob(image.source, image.manifest.config, layout, { signal })
  const { manifest } = draft
  const config = { ...manifest.config, mediaType: MEDIA_TYPE.config }
  if (mediaTypes === 'oci')
    return finishManifest(layout, { ...draft, manifest: { ...manifest, config } }, tag)
  const { annotations: __, ...plain } = manifest
  const inDocker = { mediaType: MEDIA_TYPE.dockerManifest, config: dockerDescriptor(config) }
  const layers = manifest.layers.map(dockerDescriptor)
  return finishManifest(layout, { ...draft, manifest: { ...plain, ...inDocker, layers } }, tag)
}

function dockerDescriptor({ annotations: _, ...descriptor }: Descriptor): Descriptor {
  return { ...descriptor, mediaType: dockerMediaType(descriptor.mediaType)! }
}

/** Refuses what Docker's manifests do not support, before anything is written. */
function checkMediaTypes(
  mediaTypes: 'oci' | 'docker',
  { manifest: { artifactType, subject } }: Draft,
  compressions: readonly (LayerCompression | undefined)[],
): void {
  if (mediaTypes === 'oci') return
  if (mediaTypes !== 'docker') {
    const message = `mediaTypes must be oci or docker, not ${JSON.stringify(mediaTypes)}`
    throw new CaissonError('ERR_INVALID_OPTION', message, { phase: 'validate' })
  }
  const found: [boolean, string][] = [
    [artifactType !== undefined, 'artifactType'],
    [subject !== undefined, 'subject'],
    [compressions.includes(undefined), 'layers that are not file systems'],
    [compressions.includes('zstd'), 'zstd'],
  ]
  const unsaid = found.find(([there]) => there)?.[1]
  if (unsaid === undefined) return
  const message = `a Docker manifest cannot express ${unsaid}`
  const hint = unsaid === 'zstd' ? 'choose another compression, such as gzip' : undefined
  throw new CaissonError('ERR_UNSUPPORTED_IMAGE', message, { phase: 'validate', hint })
}
