/** A set of digests with lookup by abbreviation. */
import { CaissonError } from '../errors.ts'
import { shown } from './algorithm.ts'
import type { Digest } from './grammar.ts'
import { algorithmOf, encodedOf, parseDigest, validateDigest } from './parse.ts'

interface Entry {
  algorithm: string
  encoded: string
  digest: Digest
}

/**
 * A set of digests, ordered by encoded part, then by algorithm.
 *
 * @example
 * ```ts
 * const set = new DigestSet([digestString('a'), digestString('b')])
 * set.lookup('ca97') // 'sha256:ca978112ca1b…'
 * ```
 */
export class DigestSet implements Iterable<Digest> {
  #entries: Entry[] = []

  constructor(digests: Iterable<string> = []) {
    const known = new Map<string, Entry>()
    for (const text of digests) known.set(text, entryOf(text))
    this.#entries = [...known.values()].sort(compare)
  }

  get size(): number {
    return this.#entries.length
  }

  /** Adds a digest if it is missing. Throws {@link DigestError}. */
  add(digest: string): this {
    const entry = entryOf(digest)
    const at = this.#position(entry)
    if (this.#entries[at]?.digest !== digest) this.#entries.splice(at, 0, entry)
    return this
  }

  /** Removes a digest; false if it is missing. Throws {@link DigestError}. */
  delete(digest: string): boolean {
    const at = this.#position(entryOf(digest))
    if (this.#entries[at]?.digest !== digest) return false
    this.#entries.splice(at, 1)
    return true
  }

  has(digest: string): boolean {
    if (validateDigest(digest) !== null) return false
    return this.#entries[this.#position(entryOf(digest))]?.digest === digest
  }

  /**
   * The only digest with this prefix: the start of its encoded part (`12345`), optionally with the algorithm
   * (`sha256:12345`). A whole digest always finds itself, and so does a whole encoded part that is unique. Throws
   * `ERR_DIGEST_NOT_FOUND`, and `ERR_DIGEST_AMBIGUOUS` if several digests match.
   */
  lookup(prefix: string): Digest {
    const [algorithm, encoded] = splitPrefix(prefix)
    const found: Digest[] = []
    let whole = false
    for (let at = this.#position({ algorithm: '', encoded }); at < this.#entries.length; at++) {
      const entry = this.#entries[at]!
      if (!entry.encoded.startsWith(encoded)) break
      if (algorithm !== undefined && entry.algorithm !== algorithm) continue
      // Exact matches sort first; then longer ones of other algorithms do not count.
      if (whole && entry.encoded !== encoded) break
      whole = entry.encoded === encoded
      found.push(entry.digest)
      if (found.length > 2) break
    }
    if (found.length === 1) return found[0]!
    if (found.length === 0) {
      throw new CaissonError('ERR_DIGEST_NOT_FOUND', `no digest of ${this.size} begins with ${shown(prefix)}`)
    }
    throw new CaissonError(
      'ERR_DIGEST_AMBIGUOUS',
      `${shown(prefix)} is the beginning of several digests: ${found.slice(0, 2).join(', ')}${found.length > 2 ? ', …' : ''}`,
      { hint: 'give more characters, or the algorithm' },
    )
  }

  /**
   * For each digest the shortest unique prefix of its encoded part with at least `length` characters, or the whole
   * digest if no prefix is unique. {@link lookup} finds each by it.
   */
  shortCodes(length: number): Map<Digest, string> {
    const codes = new Map<Digest, string>()
    for (const [at, { digest, encoded }] of this.#entries.entries()) {
      const shared = [at - 1, at + 1].map((other) =>
        commonLength(encoded, this.#entries[other]?.encoded ?? ''),
      )
      const wanted = Math.max(length, 1 + Math.max(...shared))
      codes.set(digest, encoded.length <= wanted ? digest : encoded.slice(0, wanted))
    }
    return codes
  }

  *[Symbol.iterator](): IterableIterator<Digest> {
    for (const { digest } of this.#entries) yield digest
  }

  /** The index of an entry, or where it would be inserted. */
  #position(wanted: Pick<Entry, 'algorithm' | 'encoded'>): number {
    let [low, high] = [0, this.#entries.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compare(this.#entries[middle]!, wanted) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

function entryOf(text: string): Entry {
  const digest = parseDigest(text)
  return { algorithm: algorithmOf(digest), encoded: encodedOf(digest), digest }
}

/**
 * A string without the form of a digest is a prefix of an encoded part; length and algorithm are not checked here.
 */
function splitPrefix(prefix: string): [string | undefined, string] {
  if (validateDigest(prefix) === 'invalid-format') return [undefined, prefix]
  return [algorithmOf(prefix), encodedOf(prefix)]
}

type Key = Pick<Entry, 'algorithm' | 'encoded'>

function compare(a: Key, b: Key): number {
  if (a.encoded !== b.encoded) return a.encoded < b.encoded ? -1 : 1
  return a.algorithm === b.algorithm ? 0 : a.algorithm < b.algorithm ? -1 : 1
}

function commonLength(a: string, b: string): number {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}
