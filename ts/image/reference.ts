/** References to images on disk: `TRANSPORT:PATH`, and which of the images there. */
import { CaissonError } from '../errors.ts'
import { isRefName } from '../spec/ref-name.ts'
import { dockerName } from './docker-name.ts'

/** The type of a source. */
export type Transport = 'oci' | 'oci-archive' | 'docker-archive' | 'tar' | 'dir'

export interface ImageReference {
  transport: Transport
  /** The path, verbatim. */
  path: string
  /** For `oci` and `oci-archive`: the `org.opencontainers.image.ref.name`. */
  tag?: string
  /** For `docker-archive`: the full name, `docker.io/library/busybox:latest`. */
  name?: string
  digest?: string
}

const FORMS: Record<Transport, string> = {
  oci: 'oci:DIRECTORY[:TAG|@DIGEST]',
  'oci-archive': 'oci-archive:FILE[:TAG|@DIGEST]',
  'docker-archive': 'docker-archive:FILE[:NAME[:TAG]|@DIGEST]',
  tar: 'tar:FILE',
  dir: 'dir:DIRECTORY',
}

/** Transports of skopeo and podman that are not supported here. */
const FOREIGN = new Set(['docker', 'docker-daemon', 'containers-storage', 'ostree', 'sif'])

const DIGEST = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[A-Za-z0-9=_-]+$/

/** Whether `text` is a valid `org.opencontainers.image.ref.name`. */
export function isTag(text: string): boolean {
  return text.length <= 255 && isRefName(text)
}

/** Throws `ERR_INVALID_OPTION`. */
export function checkTag(tag: string | undefined): void {
  if (tag === undefined || (typeof tag === 'string' && isTag(tag))) return
  throw new CaissonError('ERR_INVALID_OPTION', `tag ${JSON.stringify(tag)} is not valid`, {
    phase: 'validate',
    hint: 'letters and digits, joined by one of -._:@+ or --, in parts with / between them',
  })
}

/**
 * Whether `text` names a transport of another tool. A name alone does not: `docker:TAG` may be the image of a
 * directory.
 */
export function isForeign(text: string): boolean {
  const [transport, rest] = split(text)
  return FOREIGN.has(transport) && (transport !== 'docker' || rest.startsWith('//'))
}

/**
 * Parses a reference. Throws `ERR_INVALID_OPTION`.
 *
 * @example
 * ```ts
 * parseReference('oci:./images:alpine') // { transport: 'oci', path: './images', tag: 'alpine' }
 * ```
 */
export function parseReference(text: string): ImageReference {
  if (typeof text !== 'string') throw invalid(typeof text, 'it must be a text')
  const [transport, rest] = split(text)
  if (!isTransport(transport)) throw unknownTransport(text, transport)
  const at = rest.lastIndexOf('@')
  // A root file system is a single image: the rest is its path.
  const isWhole = transport === 'tar' || transport === 'dir'
  const digest = !isWhole && at > 0 && DIGEST.test(rest.slice(at + 1)) ? rest.slice(at + 1) : undefined
  const separator = isWhole || digest !== undefined ? -1 : rest.indexOf(':')
  const path = digest !== undefined ? rest.slice(0, at) : separator < 0 ? rest : rest.slice(0, separator)
  if (path === '') throw invalid(text, `it names no path: write ${FORMS[transport]}`)
  if (digest !== undefined) return { transport, path, digest }
  if (separator < 0) return { transport, path }
  const word = rest.slice(separator + 1)
  if (transport === 'docker-archive') {
    const name = dockerName(word)
    if (name !== undefined) return { transport, path, name }
    throw invalid(text, `${JSON.stringify(word)} is not a valid name`)
  }
  if (isTag(word)) return { transport, path, tag: word }
  throw invalid(text, `${JSON.stringify(word)} is not a valid tag`)
}

function split(text: string): [transport: string, rest: string] {
  const colon = text.indexOf(':')
  return [text.slice(0, Math.max(colon, 0)), text.slice(colon + 1)]
}

function isTransport(word: string): word is Transport {
  return Object.hasOwn(FORMS, word)
}

function unknownTransport(text: string, transport: string): CaissonError {
  if (FOREIGN.has(transport)) {
    const why = transport === 'docker' ? ', as there are no registries here' : ''
    const hint = `skopeo copy ${text} oci:DIRECTORY:TAG makes a layout of it`
    return invalid(text, `its transport "${transport}" is not supported${why}`, hint)
  }
  const known = Object.values(FORMS).join(', ')
  const found =
    transport === '' ? 'it has no transport' : `its transport ${JSON.stringify(transport)} is not known`
  const hint = "store.open() opens an image of the store; run() also takes 'host', { bundle } and { rootfs }"
  return invalid(text, `${found}; write one of ${known}`, hint)
}

function invalid(text: string, why: string, hint?: string): CaissonError {
  return new CaissonError('ERR_INVALID_OPTION', `image reference ${JSON.stringify(text)}: ${why}`, {
    phase: 'validate',
    hint,
  })
}
