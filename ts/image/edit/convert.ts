/** The same image in other words: Docker's types to those of OCI, another compression. */
import { rm } from 'node:fs/promises'
import { transcodeLayer } from '../../native/write-layer.ts'
import type { Descriptor } from '../../spec/index.ts'
import { copyLayers, type WriteOptions } from '../build/build.ts'
import { layerOutput, resolveCompression } from '../build/compression.ts'
import { checkTag, draftOf, finishDraft } from '../build/draft.ts'
import { layerBlobs, type ImageParts } from '../layer-blobs.ts'
import { Layout } from '../layout.ts'
import { layerCompression, layerType } from '../media-type.ts'

/** Without `compression` the layers stay as they are. */
export type ConvertOptions = Omit<WriteOptions, 'sourceDateEpoch'>

/** An OCI image with the same root file system: all diffIDs stay. */
export async function convertImage(image: ImageParts, options: ConvertOptions): Promise<Descriptor> {
  const { tag, compression = 'auto', signal, onProgress } = options
  checkTag(tag)
  const draft = draftOf(image)
  const wanted = resolveCompression(options, [])
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
      const temporary = layout.temporaryBlobPath()
      try {
        const output = layerOutput(temporary, wanted, options)
        const { digest, size } = await transcodeLayer(blobs[index]!, output, { signal, onProgress })
        await layout.placeBlob(temporary, digest!)
        draft.manifest.layers[index] = { ...layer, mediaType: layerType(wanted), digest: digest!, size }
      } catch (error) {
        await rm(temporary, { force: true })
        throw error
      }
    }
  }
  return finishDraft(layout, draft, tag)
}
