/** An OCI layout inside a tar archive. */
import { CaissonError } from '../../errors.ts'
import type { ImageIndex } from '../../spec/index.ts'
import { parseIndex } from '../document.ts'
import type { Archive } from './archive.ts'
import { blobName, INDEX_FILE, LAYOUT_FILE, requireLayoutVersion } from './layout-files.ts'
import type { FileRange, ImageSource } from './source.ts'

export class OciArchive implements ImageSource {
  readonly transport: ImageSource['transport']
  readonly path: string
  readonly #archive: Archive

  private constructor(archive: Archive, transport: ImageSource['transport']) {
    this.#archive = archive
    this.path = archive.path
    this.transport = transport
  }

  /** Throws `ERR_IMAGE_NOT_FOUND` for an archive without a layout, `ERR_INVALID_IMAGE` for one of another version. */
  static async open(
    archive: Archive,
    transport: ImageSource['transport'] = 'oci-archive',
  ): Promise<OciArchive> {
    const text = await archive.read(LAYOUT_FILE)
    if (text === undefined) {
      const message = `${archive.path} is not an OCI archive: it has no oci-layout file`
      throw new CaissonError('ERR_IMAGE_NOT_FOUND', message, { path: archive.path, phase: 'resolve' })
    }
    requireLayoutVersion(text, `${archive.path}/${LAYOUT_FILE}`)
    return new OciArchive(archive, transport)
  }

  async index(): Promise<ImageIndex> {
    const text = await this.#archive.read(INDEX_FILE)
    if (text !== undefined) return parseIndex(text, `index.json in ${this.path}`)
    throw new CaissonError('ERR_INVALID_IMAGE', `${this.path} has no index.json`, { path: this.path })
  }

  locate(digest: string): Promise<FileRange | undefined> {
    return Promise.resolve(this.#archive.find(blobName(digest)))
  }

  close(): Promise<void> {
    return this.#archive.close()
  }
}
