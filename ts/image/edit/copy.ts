/** Copies images from any source to a layout or an archive. */
import { called } from '../../boundary.ts'
import { CaissonError } from '../../errors.ts'
import { checkArgument, checkOptions, list } from '../../options.ts'
import type { Descriptor } from '../../spec/index.ts'
import { REF_NAME, type Layout } from '../layout.ts'
import type { ImageLimits } from '../limits.ts'
import { isManifestType } from '../media-type.ts'
import { copyOptions } from '../options/known.ts'
import { word } from '../options/parts.ts'
import { formatPlatform, parsePlatform, type Platform } from '../platform.ts'
import { thisMachine } from '../processor.ts'
import { parseReference, type ImageReference } from '../reference.ts'
import { entriesNamed, selectManifest } from '../select.ts'
import { openSource } from '../source/open.ts'
import type { ImageSource } from '../source/source.ts'
import { LayoutTarget } from '../target/layout.ts'
import { openTarget } from '../target/open.ts'
import type { BlobOrigin, Copied, CopyOperation, ImageTarget, NamedImage } from '../target/target.ts'
import { gather } from './gather.ts'

export type { CopyProgress } from '../target/target.ts'

export interface CopyOptions extends CopyOperation {
  /**
   * `oci:DIRECTORY[:TAG]`, created if missing; a new archive, `oci-archive:FILE[:TAG]` or
   * `docker-archive:FILE[:NAME[:TAG]]`; or any other target.
   */
  to?: string | ImageTarget | undefined
  /** A layout, in place of `to`: its directory, created if missing, or an open one. */
  layout?: string | Layout | undefined
  /**
   * Name in the target, in place of that in `to`. Default: the tag of the reference, or the name in the source.
   */
  tag?: string | undefined
  /** Only the images of an index for these. Default: everything, byte for byte; for `docker-archive` this machine. */
  platforms?: readonly (Platform | string)[] | undefined
  /** Replaces an existing archive once the new one is complete. Otherwise it is an error. */
  overwrite?: boolean | undefined
  /** Limits on reading an archive or a root file system. */
  limits?: ImageLimits | undefined
}

export interface CopyResult extends Copied {
  descriptor: Descriptor
}

export interface CopyImagesResult extends Copied {
  /** In the order of the references. */
  images: NamedImage[]
}

/**
 * Copies the image that `reference` names, or an index with all its images. Digests do not change, unless `platforms`
 * selects from an index. Blobs that the source lacks are an error, except layers with `urls`.
 */
export function copyImage(reference: string, options: CopyOptions): Promise<CopyResult> {
  return called(copyImage, async () => {
    const { images, ...copied } = await copyImages([reference], options)
    return { descriptor: images[0]!.descriptor, ...copied }
  })
}

/** Copies several images at once, as an archive is written in one go. Each keeps its name. */
export function copyImages(references: readonly string[], options: CopyOptions): Promise<CopyImagesResult> {
  return called(copyImages, async () => {
    checkArgument('references', references, list(word))
    checkOptions(options, copyOptions)
    const { signal, onProgress, limits } = options
    const parsed = references.map((reference) => parseReference(reference))
    if (parsed.length === 0) throw invalid('there is nothing to copy')
    const { target, name } = await targetOf(options)
    if (name !== undefined && parsed.length > 1)
      throw invalid(`${parsed.length} images cannot all be called ${name}`)
    const platforms = options.platforms?.map(platformOf)
    if (!target.takesIndexes && platforms && platforms.length > 1)
      throw invalid(`${target.transport} takes one platform of an image, not ${platforms.length}`)
    const blobs = new Map<string, BlobOrigin>()
    const images: NamedImage[] = []
    const sources: ImageSource[] = []
    try {
      for (const [at, reference] of references.entries()) {
        const source = await openSource(parsed[at]!, { signal, limits })
        sources.push(source)
        const { entry, image, wanted } = await choose(source, parsed[at]!, reference, target, platforms)
        const descriptor = await gather(blobs, source, image, wanted)
        if (!descriptor) {
          const list = wanted!.map(formatPlatform).join(', ')
          throw notFound(source, `${reference} has no image for ${list}`)
        }
        images.push({
          descriptor: withoutTag(descriptor),
          name: target.nameOf(name, { tag: parsed[at]!.tag, entry }),
        })
      }
      refuseSameName(images)
      const copied = await target.write({ images, blobs }, { signal, onProgress })
      return { images, ...copied }
    } finally {
      for (const source of sources) await source.close()
    }
  })
}

async function targetOf({
  to,
  layout,
  tag,
  overwrite = false,
}: CopyOptions): Promise<{ target: ImageTarget; name: string | undefined }> {
  if ((to === undefined) === (layout === undefined)) throw invalid('say where to: either to or layout')
  if (layout !== undefined) return { target: new LayoutTarget(layout), name: tag }
  if (typeof to !== 'string') return { target: to!, name: tag }
  const { target, name } = await openTarget(to, overwrite)
  return { target, name: tag ?? name }
}

/** The named entry, and the part of it to copy: all, or one image for a target without indexes. */
async function choose(
  source: ImageSource,
  { tag, name, digest }: ImageReference,
  reference: string,
  { takesIndexes }: ImageTarget,
  platforms: readonly Platform[] | undefined,
): Promise<{ entry: Descriptor; image: Descriptor; wanted: readonly Platform[] | undefined }> {
  const found = entriesNamed((await source.index()).manifests, { tag, name, digest })
  const [entry] = found
  const isOne = entry !== undefined && found.every(({ digest }) => digest === entry.digest)
  if (takesIndexes) {
    if (isOne) return { entry, image: entry, wanted: platforms }
    const why = entry ? `is one of ${found.length} images: say which by its digest` : 'does not exist'
    throw notFound(source, `${reference} ${why}`)
  }
  // A single manifest is copied whatever its platform.
  if (isOne && !platforms && isManifestType(entry.mediaType))
    return { entry, image: entry, wanted: undefined }
  const platform = platforms?.[0] ?? thisMachine()
  const image = await selectManifest(source, { tag, name, digest, platform })
  return {
    entry: entry ?? image,
    image,
    wanted: platforms ?? (digest === undefined ? [platform] : undefined),
  }
}

/** Removes the tag, which belongs to the source. */
function withoutTag(descriptor: Descriptor): Descriptor {
  const { annotations, ...plain } = descriptor
  const { [REF_NAME]: _, ...others } = annotations ?? {}
  return Object.keys(others).length > 0 ? { ...plain, annotations: others } : plain
}

function refuseSameName(images: readonly NamedImage[]): void {
  const names = new Set<string>()
  for (const { name } of images) {
    if (name === undefined) continue
    if (names.has(name)) throw invalid(`two images would be called ${name}`)
    names.add(name)
  }
}

function platformOf(platform: Platform | string): Platform {
  const parsed = typeof platform === 'string' ? parsePlatform(platform) : platform
  if (parsed) return parsed
  throw invalid(`platform ${JSON.stringify(platform)} is not os/architecture[/variant]`)
}

function invalid(message: string): CaissonError {
  return new CaissonError('ERR_INVALID_OPTION', message, { phase: 'validate' })
}

function notFound({ path }: ImageSource, message: string): CaissonError {
  return new CaissonError('ERR_IMAGE_NOT_FOUND', message, { path, phase: 'resolve' })
}
