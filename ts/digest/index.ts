/**
 * Digests as in the OCI specifications (`sha256:…`): parsing, validating, computing, verifying.
 * @module
 */
export {
  availableAlgorithms,
  CANONICAL_ALGORITHM,
  digestSize,
  isAvailable,
  registerAlgorithm,
} from './algorithm.ts'
export type { AlgorithmProvider, BuiltInAlgorithm, Hasher } from './algorithm.ts'
export { digestBytes, digestString } from './at-once.ts'
export type { Bytes } from './bytes.ts'
export { blake3 } from './blake3.ts'
export { DigestError, MismatchError } from './digest-error.ts'
export type { DigestErrorKind } from './digest-error.ts'
export { createDigester } from './digester.ts'
export type { Digester } from './digester.ts'
export { digestBytesAsync, digestFile } from './file.ts'
export type { DigestFileOptions, DigestibleFile } from './file.ts'
export { DIGEST_REGEXP, DIGEST_REGEXP_ANCHORED } from './grammar.ts'
export type { Digest, DigestsOf } from './grammar.ts'
export {
  algorithmOf,
  digestFromEncoded,
  digestFromHashBytes,
  encodedOf,
  isDigest,
  parseDigest,
  safeParseDigest,
  validateDigest,
} from './parse.ts'
export type { SafeDigest } from './parse.ts'
export { DigestSet } from './set.ts'
export { digestStream } from './stream.ts'
export type { ByteStream, DigestStreamOptions } from './stream.ts'
export { createVerifier } from './verifier.ts'
export type { Verifier } from './verifier.ts'
export { verifyTransform, verifyTransformStream } from './verify-stream.ts'
export type { VerifyOptions } from './verify-stream.ts'
