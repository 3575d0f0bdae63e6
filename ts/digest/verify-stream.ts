/** Streams that verify their content: a `Transform` of Node and a `TransformStream` of the web. */
import type { Transform } from 'node:stream'
import { SpecError } from '../errors.ts'
import { asUint8Array, type Bytes } from './bytes.ts'
import { MismatchError } from './digest-error.ts'
import { createVerifier, type Verifier } from './verifier.ts'

export interface VerifyOptions {
  /** The exact size in bytes. */
  size?: number | undefined
}

/**
 * Decides on each chunk, for both streams. The first byte beyond the size is an error. If the size is known, the chunk
 * that completes it passes only with the right digest, so that a consumer that counts never has all bytes unverified.
 */
class Gate {
  readonly #verifier: Verifier
  readonly #size: number | undefined
  #right = false

  constructor(expected: string, { size }: VerifyOptions) {
    this.#verifier = createVerifier(expected)
    this.#size = size
    if (size === undefined || (Number.isSafeInteger(size) && size >= 0)) return
    const message = `must be a whole number of bytes, not ${String(size)}`
    throw new SpecError('ERR_INVALID_OPTION', 'verify', [{ path: 'size', message }])
  }

  /** Throws {@link MismatchError}. */
  pass(bytes: Uint8Array): Uint8Array {
    const { expected } = this.#verifier
    const seen = this.#verifier.size + bytes.length
    if (this.#size !== undefined && seen > this.#size) {
      const message = `content of ${expected} is longer than the ${this.#size} bytes it should have`
      throw new MismatchError('ERR_SIZE_MISMATCH', message, this.#size, seen)
    }
    this.#verifier.update(bytes)
    if (seen === this.#size) this.#compare()
    return bytes
  }

  /** Throws {@link MismatchError}. */
  end(): void {
    const { expected, size } = this.#verifier
    if (this.#size !== undefined && size < this.#size) {
      const message = `content of ${expected} has ${size} bytes, not the ${this.#size} it should have`
      throw new MismatchError('ERR_SIZE_MISMATCH', message, this.#size, size)
    }
    if (!this.#right) this.#compare()
  }

  #compare(): void {
    const { expected } = this.#verifier
    const actual = this.#verifier.actual()
    if (actual !== expected) {
      const message = `content that should be ${expected} has the digest ${actual}`
      throw new MismatchError('ERR_DIGEST_MISMATCH', message, expected, actual)
    }
    this.#right = true
  }
}

const asBytes = (chunk: unknown): Uint8Array =>
  typeof chunk === 'string' ? Buffer.from(chunk) : asUint8Array(chunk as Bytes)

/**
 * A Node `Transform` that passes bytes on and fails if they do not match the digest: at the first byte beyond `size`
 * with `ERR_SIZE_MISMATCH`, at the end with that or `ERR_DIGEST_MISMATCH` ({@link MismatchError}). Its output is
 * unverified until the stream has ended successfully. Throws {@link DigestError}.
 *
 * @example
 * ```ts
 * await pipeline(response, verifyTransform(digest, { size }), createWriteStream(path))
 * ```
 */
export function verifyTransform(expected: string, options: VerifyOptions = {}): Transform {
  const gate = new Gate(expected, options)
  const { Transform } = process.getBuiltinModule('node:stream')
  return new Transform({
    transform(chunk: unknown, _encoding, done) {
      try {
        done(null, gate.pass(asBytes(chunk)))
      } catch (error) {
        done(error as Error)
      }
    },
    flush(done) {
      try {
        gate.end()
        done()
      } catch (error) {
        done(error as Error)
      }
    },
  })
}

/**
 * Like {@link verifyTransform}, for web streams: `response.body.pipeThrough(verifyTransformStream(digest, { size }))`.
 */
export function verifyTransformStream(
  expected: string,
  options: VerifyOptions = {},
): TransformStream<Uint8Array, Uint8Array> {
  const gate = new Gate(expected, options)
  return new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => controller.enqueue(gate.pass(asBytes(chunk))),
    flush: () => gate.end(),
  })
}
