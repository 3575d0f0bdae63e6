/** Incremental digests. */
import { CaissonError } from '../errors.ts'
import { requireAlgorithm, type Algorithm, type Hasher } from './algorithm.ts'
import { asUint8Array, type Bytes } from './bytes.ts'
import type { Digest } from './grammar.ts'

/** Accepts bytes, and returns their digest at any time. */
export class Digester<A extends string = string> {
  readonly algorithm: A
  readonly #implementation: Algorithm
  readonly #hasher: Hasher
  #size = 0
  #sealed: Digest<A> | undefined

  /** @internal use {@link createDigester} */
  constructor(algorithm: A) {
    this.#implementation = requireAlgorithm(algorithm)
    this.algorithm = algorithm
    this.#hasher = this.#implementation.create()
  }

  /** Bytes hashed so far. */
  get size(): number {
    return this.#size
  }

  /** Adds bytes, or a string in UTF-8. */
  update(data: string | Bytes): this {
    if (this.#sealed !== undefined && !this.#hasher.copy) {
      throw new CaissonError(
        'ERR_INVALID_STATE',
        `the digester of ${this.algorithm} has given its digest and takes no more data: its hasher has no copy()`,
      )
    }
    const bytes = typeof data === 'string' ? Buffer.from(data) : asUint8Array(data)
    this.#hasher.update(bytes)
    this.#size += bytes.length
    this.#sealed = undefined
    return this
  }

  /** The digest of all input so far. */
  digest(): Digest<A> {
    return (this.#sealed ??= this.#compute())
  }

  #compute(): Digest<A> {
    const hash = (this.#hasher.copy?.() ?? this.#hasher).digest()
    const { size } = this.#implementation
    if (hash.length !== size) {
      throw new CaissonError(
        'ERR_INVALID_STATE',
        `the provider of ${this.algorithm} gave a hash of ${hash.length} bytes and was registered with ${size}`,
      )
    }
    const hex = Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString('hex')
    return `${this.algorithm}:${hex}` as Digest<A>
  }
}

/**
 * Creates a digester; the default is `sha256`. Throws {@link DigestError} `unsupported`.
 *
 * @example
 * ```ts
 * createDigester().update('a').update('bc').digest() // digestString('abc')
 * ```
 */
export function createDigester<A extends string = 'sha256'>(algorithm?: A): Digester<A>
export function createDigester(algorithm: string = 'sha256'): Digester {
  return new Digester(algorithm)
}
