/** The files of an OCI image layout, in any place: image-spec, image-layout.md. */
import { CaissonError } from '../../errors.ts'
import type { ImageIndex } from '../../spec/index.ts'

export const LAYOUT_FILE = 'oci-layout'
export const INDEX_FILE = 'index.json'
const LAYOUT_VERSION = '1.0.0'
/** The content of `oci-layout`. */
export const LAYOUT_TEXT: string = `${JSON.stringify({ imageLayoutVersion: LAYOUT_VERSION })}\n`

/** The content of `index.json`. */
export function formatIndex(index: ImageIndex): string {
  return `${JSON.stringify(index, null, 2)}\n`
}

/** `blobs/ALGORITHM/ENCODED`. Throws `ERR_INVALID_IMAGE` for an invalid digest. */
export function blobName(digest: string): string {
  // SECURITY: only characters of the digest grammar ever become a path (CVE-2024-3727).
  const [, algorithm, encoded] =
    /^([a-z0-9]+):([a-f0-9]+)$/.exec(typeof digest === 'string' ? digest : '') ?? []
  if (algorithm && encoded) return `blobs/${algorithm}/${encoded}`
  throw new CaissonError('ERR_INVALID_IMAGE', `${JSON.stringify(digest)} is not a digest`)
}

/** Throws `ERR_INVALID_IMAGE` unless the content of `oci-layout`, read from `file`, has the only defined version. */
export function requireLayoutVersion(text: string, file: string): void {
  if (versionOf(text) === LAYOUT_VERSION) return
  throw new CaissonError('ERR_INVALID_IMAGE', `${file}: imageLayoutVersion must be ${LAYOUT_VERSION}`, {
    path: file,
    phase: 'resolve',
  })
}

function versionOf(text: string): unknown {
  try {
    return (JSON.parse(text) as { imageLayoutVersion?: unknown } | null)?.imageLayoutVersion
  } catch {
    return undefined // invalid JSON has no version
  }
}
