/** Records where an image was read, and finds it again. */
import { CaissonError } from '../errors.ts'
import type { Image } from './image.ts'
import { Layout } from './layout.ts'
import type { Transport } from './reference.ts'
import { openSource } from './source/open.ts'
import { locationOf, type ImageSource } from './source/source.ts'

export interface ImageOrigin {
  transport: string
  /** Absolute. */
  path: string
  /** Descriptor of the manifest. */
  mediaType: string
  digest: string
  size: number
}

export function originOf({ source, descriptor }: Image): ImageOrigin {
  const { mediaType, digest, size } = descriptor
  return { transport: source.transport, path: source.path, mediaType, digest, size }
}

/**
 * Opens the image again if all of it exists: in one of `layouts`, with or without a name, or at its origin. Rejects
 * with `ERR_IMAGE_NOT_FOUND`.
 */
export async function openOrigin(origin: ImageOrigin, layouts: readonly Layout[]): Promise<Image> {
  const { transport, path } = origin
  const reopen = (): Promise<ImageSource> => openSource({ transport: transport as Transport, path })
  const places = [...layouts.map((layout) => () => Promise.resolve<ImageSource>(layout)), reopen]
  const reasons: string[] = []
  for (const place of places) {
    try {
      return await openIn(await place(), origin)
    } catch (error) {
      if (!(error instanceof CaissonError)) throw error
      reasons.push(error.message)
    }
  }
  const message = `the image ${origin.digest} is not to be found: ${reasons.join('; ')}`
  throw new CaissonError('ERR_IMAGE_NOT_FOUND', message, {
    phase: 'resolve',
    path,
    hint: 'copy it to the layout: caisson image copy',
  })
}

async function openIn(source: ImageSource, { mediaType, digest, size }: ImageOrigin): Promise<Image> {
  const { Image } = await import('./image.ts')
  try {
    const image = await Image.from(source, { mediaType, digest, size })
    const [missing] = await image.missing()
    if (!missing) return image
    const message = `${locationOf(source)} lacks its blob ${missing.digest}`
    throw new CaissonError('ERR_BLOB_NOT_FOUND', message, { phase: 'resolve', path: source.path })
  } catch (error) {
    await source.close()
    throw error
  }
}
