/** Resolves a name to one manifest: tags, nested indexes, platforms. */
import { CaissonError } from '../errors.ts'
import type { Descriptor } from '../spec/index.ts'
import { dockerName, IMAGE_NAME } from './docker-name.ts'
import { parseIndex } from './document.ts'
import { REF_NAME } from './layout.ts'
import { MAX_INDEX_DEPTH, MAX_INDEXES } from './limits.ts'
import { isIndexType, isManifestType } from './media-type.ts'
import { formatPlatform, platformRank, type Platform } from './platform.ts'
import { readDocument } from './source/read.ts'
import { locationOf, type ImageSource } from './source/source.ts'

export interface Wanted {
  tag?: string | undefined
  /** A full name of Docker. */
  name?: string | undefined
  digest?: string | undefined
  platform: Platform
  /** If the name refers to a single image, selects it whatever its platform. */
  orOnly?: boolean | undefined
}

/** The entries of an index with a name, for any platform. */
export function entriesNamed(
  manifests: readonly Descriptor[],
  wanted: Pick<Wanted, 'tag' | 'name' | 'digest'>,
): Descriptor[] {
  return manifests.filter(
    (entry) =>
      (wanted.tag === undefined || entry.annotations?.[REF_NAME] === wanted.tag) &&
      (wanted.name === undefined || fullName(entry) === wanted.name) &&
      (wanted.digest === undefined || entry.digest === wanted.digest),
  )
}

/** The descriptor of the best match. Throws `ERR_IMAGE_NOT_FOUND`. */
export async function selectManifest(source: ImageSource, wanted: Wanted): Promise<Descriptor> {
  const { manifests } = await source.index()
  const entries = entriesNamed(manifests, wanted)
  if (entries.length === 0 && wanted.digest === undefined) throw notFound(source, wanted, manifests)
  if (wanted.tag === undefined && wanted.name === undefined && wanted.digest === undefined)
    refuseChoice(source, entries)
  // A digest may name an image inside a nested index.
  const search = new Search(source, entries.length > 0 ? undefined : wanted.digest)
  await search.visit(entries.length > 0 ? entries : manifests, 0)
  const best = search.found
    .map((descriptor) => ({ descriptor, rank: rank(descriptor, wanted) }))
    .filter((candidate) => candidate.rank > 0)
    .reduce<{ descriptor: Descriptor; rank: number } | undefined>(
      (best, candidate) => (best && best.rank >= candidate.rank ? best : candidate), // the first wins a tie
      undefined,
    )
  if (best) return best.descriptor
  const [first] = search.found
  if (!first) throw notFound(source, wanted, manifests)
  if (wanted.orOnly && search.found.every(({ digest }) => digest === first.digest)) return first
  const platforms = search.found.map(({ platform }) => (platform ? formatPlatform(platform) : 'unknown'))
  throw new CaissonError(
    'ERR_IMAGE_NOT_FOUND',
    `${describe(source, wanted)} has no image for ${formatPlatform(wanted.platform)}; it has ${platforms.join(', ')}`,
    {
      path: source.path,
      phase: 'resolve',
      hint: `choose one with the option platform: --platform ${platforms[0]}`,
    },
  )
}

class Search {
  readonly found: Descriptor[] = []
  readonly #source: ImageSource
  readonly #digest: string | undefined
  readonly #visited = new Set<string>()

  constructor(source: ImageSource, digest: string | undefined) {
    this.#source = source
    this.#digest = digest
  }

  /** Collects manifests in order; attestations of BuildKit are not images. */
  async visit(entries: readonly Descriptor[], depth: number): Promise<void> {
    for (const entry of entries) {
      if (isManifestType(entry.mediaType)) {
        if (!isAttestation(entry) && (this.#digest ?? entry.digest) === entry.digest) this.found.push(entry)
      } else if (isIndexType(entry.mediaType) && !this.#visited.has(entry.digest)) {
        this.#visited.add(entry.digest)
        if (depth >= MAX_INDEX_DEPTH || this.#visited.size > MAX_INDEXES) {
          throw new CaissonError(
            'ERR_LIMIT_EXCEEDED',
            `${this.#source.path}: its indexes are nested too deep`,
            {
              path: this.#source.path,
            },
          )
        }
        const bytes = await readDocument(this.#source, entry)
        const { manifests } = await parseIndex(bytes, `index ${entry.digest}`, entry.mediaType)
        await this.visit(manifests, depth + 1)
      }
    }
  }
}

function isAttestation({ annotations, platform }: Descriptor): boolean {
  return (
    annotations?.['vnd.docker.reference.type'] === 'attestation-manifest' ||
    (platform?.os === 'unknown' && platform.architecture === 'unknown')
  )
}

/** An entry without a platform is the last choice; its configuration is checked later. */
function rank({ platform, digest }: Descriptor, wanted: Wanted): number {
  if (digest === wanted.digest) return Number.MAX_SAFE_INTEGER // asked for by name
  return platform ? platformRank(platform, wanted.platform) : 0.5
}

/** The full name of Docker; for an entry with only a tag, that tag as a name. */
function fullName({ annotations }: Descriptor): string | undefined {
  const name = annotations?.[IMAGE_NAME] ?? annotations?.[REF_NAME]
  return name === undefined ? undefined : dockerName(name)
}

/**
 * Without a name, a single image is unambiguous, even with several tags, and so are several with one tag (for
 * platforms).
 */
function refuseChoice(source: ImageSource, entries: readonly Descriptor[]): void {
  const tags = new Set(entries.map((entry) => shownName(source, entry)))
  const digests = new Set(entries.map(({ digest }) => digest))
  if (tags.size <= 1 || digests.size <= 1) return
  throw new CaissonError(
    'ERR_IMAGE_NOT_FOUND',
    `${source.path} has several images (${list(source, entries)}): say which, as in ${locationOf(source)}:TAG`,
    { path: source.path, phase: 'resolve' },
  )
}

function notFound(source: ImageSource, wanted: Wanted, manifests: readonly Descriptor[]): CaissonError {
  const known = manifests.length === 0 ? 'it is empty' : `it has ${list(source, manifests)}`
  return new CaissonError('ERR_IMAGE_NOT_FOUND', `${describe(source, wanted)} does not exist; ${known}`, {
    path: source.path,
    phase: 'resolve',
  })
}

function describe(source: ImageSource, { name, tag = name, digest }: Wanted): string {
  return `image ${locationOf(source)}${digest === undefined ? '' : `@${digest}`}${tag === undefined ? '' : `:${tag}`}`
}

function list(source: ImageSource, manifests: readonly Descriptor[]): string {
  const names = manifests.map((entry) => shownName(source, entry) ?? entry.digest)
  return [...new Set(names)].slice(0, 20).join(', ')
}

/** As written in a reference. */
function shownName({ transport }: ImageSource, { annotations }: Descriptor): string | undefined {
  const [name, tag] = [annotations?.[IMAGE_NAME], annotations?.[REF_NAME]]
  return transport === 'docker-archive' ? (name ?? tag) : (tag ?? name)
}
