/** Verifies bytes against a digest. */
import type { Bytes } from './bytes.ts'
import { createDigester, type Digester } from './digester.ts'
import type { Digest } from './grammar.ts'
import { algorithmOf, parseDigest } from './parse.ts'

/** Accepts bytes and compares them with a digest. */
export class Verifier {
  readonly expected: Digest
  readonly #digester: Digester

  /** @internal use {@link createVerifier} */
  constructor(expected: string) {
    this.expected = parseDigest(expected)
    this.#digester = createDigester(algorithmOf(this.expected))
  }

  /** Bytes hashed so far. */
  get size(): number {
    return this.#digester.size
  }

  /** Adds bytes, or a string in UTF-8. */
  update(data: string | Bytes): this {
    this.#digester.update(data)
    return this
  }

  /** The digest of all input so far. */
  actual(): Digest {
    return this.#digester.digest()
  }

  /** Whether all input so far has the expected digest. */
  verified(): boolean {
    return this.actual() === this.expected
  }
}

/**
 * Creates a verifier for a digest. Throws {@link DigestError}.
 *
 * @example
 * ```ts
 * createVerifier(digest).update(manifest).verified() // true or false
 * ```
 */
export function createVerifier(expected: string): Verifier {
  return new Verifier(expected)
}
