/** Names of images on disk: `oci:DIRECTORY[:TAG|@DIGEST]`. */
import { CaissonError } from '../errors.ts'
import { isRefName } from '../spec/ref-name.ts'

/** How a place is read. */
export type Transport = 'oci'

export interface ImageReference {
  transport: Transport
  /** Path as it was written. */
  path: string
  tag?: string
  digest?: string
}

const DIGEST = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[A-Za-z0-9=_-]+$/

/** Whether `text` may be the `org.opencontainers.image.ref.name` of an image. */
export function isTag(text: string): boolean {
  return text.length <= 255 && isRefName(text)
}

/**
 * Takes a reference apart. Throws `ERR_INVALID_OPTION`.
 *
 * @example
 * ```ts
 * parseReference('oci:./images:alpine') // { transport: 'oci', path: './images', tag: 'alpine' }
 * ```
 */
export function parseReference(text: string): ImageReference {
  const colon = text.indexOf(':')
  const transport = colon < 0 ? '' : text.slice(0, colon)
  if (transport !== 'oci') {
    throw invalid(
      text,
      `its transport ${JSON.stringify(transport)} is not supported; write 'oci:DIRECTORY:TAG'`,
    )
  }
  const rest = text.slice(colon + 1)
  const at = rest.lastIndexOf('@')
  if (at > 0 && DIGEST.test(rest.slice(at + 1))) {
    return { transport, path: rest.slice(0, at), digest: rest.slice(at + 1) }
  }
  const separator = rest.indexOf(':')
  if (separator < 0) {
    if (rest === '') throw invalid(text, 'it names no directory')
    return { transport, path: rest }
  }
  const path = rest.slice(0, separator)
  const tag = rest.slice(separator + 1)
  if (path === '') throw invalid(text, 'it names no directory')
  if (!isTag(tag)) throw invalid(text, `${JSON.stringify(tag)} is not a valid tag`)
  return { transport, path, tag }
}

function invalid(text: string, why: string): CaissonError {
  return new CaissonError('ERR_INVALID_OPTION', `image reference ${JSON.stringify(text)}: ${why}`, {
    phase: 'validate',
  })
}
