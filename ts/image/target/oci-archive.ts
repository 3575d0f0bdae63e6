/** Writes images to a new archive with an OCI layout. */
import type { Descriptor } from '../../spec/index.ts'
import { REF_NAME } from '../layout.ts'
import { MEDIA_TYPE } from '../media-type.ts'
import { formatIndex, INDEX_FILE, LAYOUT_FILE, LAYOUT_TEXT } from '../source/layout-files.ts'
import type { ArchiveFile } from './archive-file.ts'
import { tagOf } from './layout.ts'
import type { Copied, CopyOperation, ImageSet, ImageTarget, NamedImage } from './target.ts'

export class OciArchiveTarget implements ImageTarget {
  readonly transport = 'oci-archive'
  readonly takesIndexes = true
  readonly #file: ArchiveFile

  constructor(file: ArchiveFile) {
    this.#file = file
  }

  get path(): string {
    return this.#file.path
  }

  nameOf(wanted: string | undefined, origin: { tag: string | undefined; entry: Descriptor }): string | undefined {
    return tagOf(wanted, origin)
  }

  write(set: ImageSet, operation: CopyOperation): Promise<Copied> {
    const tag = (name: string): Record<string, string> => ({ [REF_NAME]: name })
    return this.#file.write(layoutDocuments(set.images, tag), set, operation)
  }
}

/** `oci-layout` and `index.json`; `annotate` returns the annotations that name an image. */
export function layoutDocuments(
  images: readonly NamedImage[],
  annotate: (name: string) => Record<string, string>,
): Record<string, string> {
  const manifests = images.map(({ descriptor, name }) =>
    name === undefined
      ? descriptor
      : { ...descriptor, annotations: { ...descriptor.annotations, ...annotate(name) } },
  )
  const index = formatIndex({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests })
  return { [LAYOUT_FILE]: LAYOUT_TEXT, [INDEX_FILE]: index }
}
