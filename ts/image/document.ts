/**
 * Parses the documents of an image leniently, as images exist that no strict reader accepts. The schemas are loaded
 * with the first document, not with the package.
 */
import type {
  DockerArchiveManifest,
  DocumentInput,
  ImageConfig,
  ImageIndex,
  ImageManifest,
} from '../spec/index.ts'

const documents = (): Promise<typeof import('../spec/index.ts')> => import('../spec/index.ts')

/** Throws `ERR_INVALID_IMAGE`, like the other two. `mediaType` is the type by which the document was referenced. */
export async function parseIndex(
  input: DocumentInput,
  subject: string,
  mediaType?: string,
): Promise<ImageIndex> {
  return (await documents()).parseImageIndex(input, { subject, mediaType })
}

export async function parseManifest(
  input: DocumentInput,
  subject: string,
  mediaType?: string,
): Promise<ImageManifest> {
  return (await documents()).parseImageManifest(input, { subject, mediaType })
}

export async function parseConfig(input: DocumentInput, subject: string): Promise<ImageConfig> {
  return (await documents()).parseImageConfig(input, { subject })
}

/** manifest.json of `docker save`. */
export async function parseArchiveManifest(
  input: DocumentInput,
  subject: string,
): Promise<DockerArchiveManifest> {
  return (await documents()).parseDockerArchiveManifest(input, { subject })
}
