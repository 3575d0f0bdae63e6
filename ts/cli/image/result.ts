/** Output of verbs that make an image. */
import type { NamedImage } from '../../index.ts'
import type { Descriptor } from '../../spec/index.ts'
import { show } from './format.ts'

export function showImage(json: boolean, descriptor: Descriptor, tag: string | undefined): void {
  show(json, described({ descriptor, name: tag }), [descriptor.digest])
}

/** One as an object, several as a list. */
export function showImages(json: boolean, images: readonly NamedImage[]): void {
  const all = images.map(described)
  show(
    json,
    all.length === 1 ? all[0] : all,
    all.map(({ digest }) => digest),
  )
}

function described({ descriptor: { digest, size, mediaType }, name }: NamedImage): {
  digest: string
  size: number
  mediaType: string
  tag: string | null
} {
  return { digest, size, mediaType, tag: name ?? null }
}
