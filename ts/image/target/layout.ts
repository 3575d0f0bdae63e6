/** Writes images to a layout directory. */
import type { Descriptor } from '../../spec/index.ts'
import { hostPath } from '../host-path.ts'
import { copyBlob } from '../layout/copy-blob.ts'
import { Layout } from '../layout.ts'
import { totalOf, type Copied, type CopyOperation, type ImageSet, type ImageTarget } from './target.ts'
import { checkTag } from '../reference.ts'

export class LayoutTarget implements ImageTarget {
  readonly transport = 'oci'
  readonly takesIndexes = true
  readonly path: string
  readonly #layout: Layout | undefined

  /** The first write creates the directory. */
  constructor(layout: string | Layout) {
    this.#layout = typeof layout === 'string' ? undefined : layout
    this.path = typeof layout === 'string' ? hostPath(layout, 'layout') : layout.path
  }

  nameOf(wanted: string | undefined, origin: { tag: string | undefined; entry: Descriptor }): string | undefined {
    return tagOf(wanted, origin)
  }

  async write({ images, blobs }: ImageSet, { signal, onProgress }: CopyOperation): Promise<Copied> {
    const layout = this.#layout ?? (await Layout.create(this.path))
    using _ = await layout.protect(signal)
    const lacking = []
    for (const origin of blobs.values()) {
      const { digest, size } = origin.descriptor
      if ((await layout.locate(digest))?.size !== size) lacking.push(origin)
    }
    const total = totalOf(lacking)
    const copied = { bytes: 0, blobs: 0 }
    const onBytes = (count: number): void => {
      copied.bytes += count
      onProgress?.({ ...copied, total })
    }
    for (const { source, descriptor } of lacking) {
      if (await copyBlob(source, descriptor, layout, { signal, onBytes })) copied.blobs += 1
    }
    // Added without a name too, so that garbage collection keeps it.
    for (const { descriptor, name } of images) await layout.add(descriptor, name)
    return copied
  }
}

/** The requested tag, or else that of the reference. */
export function tagOf(wanted: string | undefined, origin: { tag: string | undefined }): string | undefined {
  const tag = wanted ?? origin.tag
  checkTag(tag)
  return tag
}
