/** The algorithms known in this process: the SHA-2 family, and those that the program registers. */
import { SpecError, type SpecIssue } from '../errors.ts'
import { DigestError } from './digest-error.ts'
import { ALGORITHM_REGEXP_ANCHORED } from './grammar.ts'
import { nodeCrypto } from './node-crypto.ts'

/** A hash in progress, such as the result of `crypto.createHash`. */
export interface Hasher {
  update(data: Uint8Array): unknown
  /** The hash of all input; called once. */
  digest(): Uint8Array
  /** A copy with the same state. Without this method, a digester accepts no data after its first `digest()`. */
  copy?(): Hasher
}

/** The implementation of an algorithm: see {@link registerAlgorithm}. */
export interface AlgorithmProvider {
  /** Size of a hash in bytes. */
  readonly size: number
  create(): Hasher
}

/** An algorithm that is always available. */
export type BuiltInAlgorithm = 'sha256' | 'sha384' | 'sha512'

/** The default algorithm, as in the image specification. */
export const CANONICAL_ALGORITHM = 'sha256' as const

export interface Algorithm extends AlgorithmProvider {
  readonly name: string
  /** The part after the colon. */
  readonly encoded: RegExp
  /**
   * The implementation: Node's crypto module, the addon, or the program that registered it; with the name there.
   */
  readonly source: 'node' | 'addon' | 'program'
}

const algorithms = new Map<string, Algorithm>()

function add(name: string, { size, create }: AlgorithmProvider, source: Algorithm['source']): void {
  algorithms.set(name, { name, size, create, source, encoded: new RegExp(`^[a-f0-9]{${size * 2}}$`) })
}

for (const [name, size] of [
  ['sha256', 32],
  ['sha384', 48],
  ['sha512', 64],
] as const)
  add(name, { size, create: () => nodeCrypto().createHash(name) }, 'node')

/** Our own providers, whose algorithm the addon computes, with its name there. */
export const addonProviders: WeakMap<AlgorithmProvider, string> = new WeakMap()

/**
 * Makes an algorithm known to this process. Its encoded form is the hash in lower-case hexadecimal. Returns false,
 * without any change, if the name is taken. Throws `ERR_INVALID_OPTION` for a name outside the grammar or an invalid
 * provider.
 *
 * @example
 * ```ts
 * registerAlgorithm('sha512-256', { size: 32, create: () => createHash('sha512-256') })
 * ```
 */
export function registerAlgorithm(name: string, provider: AlgorithmProvider): boolean {
  const issues: SpecIssue[] = []
  const issue = (path: string, message: string): number => issues.push({ path, message })
  if (typeof name !== 'string' || !ALGORITHM_REGEXP_ANCHORED.test(name))
    issue('name', `must be small letters and digits, parts joined by one of . + _ -, not ${shown(name)}`)
  const { size, create } = provider ?? {}
  if (!Number.isInteger(size) || size < 1 || size > 1024)
    issue('provider.size', `must be the bytes of a hash, 1 to 1024, not ${shown(size)}`)
  if (typeof create !== 'function') issue('provider.create', `must be a function, not ${shown(create)}`)
  if (issues.length > 0) throw new SpecError('ERR_INVALID_OPTION', 'registerAlgorithm', issues)
  if (algorithms.has(name)) return false
  const source = addonProviders.get(provider) === name ? 'addon' : 'program'
  add(name, { size, create: () => provider.create() }, source)
  return true
}

/** Whether digests of this algorithm can be verified and computed. */
export function isAvailable(algorithm: string): boolean {
  return algorithms.has(algorithm)
}

/** Size of a hash in bytes; 0 for an unknown algorithm. */
export function digestSize(algorithm: string): number {
  return algorithms.get(algorithm)?.size ?? 0
}

/** The names, in the order of registration. */
export function availableAlgorithms(): string[] {
  return [...algorithms.keys()]
}

export function findAlgorithm(name: string): Algorithm | undefined {
  return algorithms.get(name)
}

/** Throws {@link DigestError} `unsupported`. */
export function requireAlgorithm(name: string): Algorithm {
  const algorithm = algorithms.get(name)
  if (algorithm) return algorithm
  const known = availableAlgorithms().join(', ')
  const hint = name === 'blake3' ? "; registerAlgorithm('blake3', blake3()) adds it" : ''
  throw new DigestError(
    'unsupported',
    typeof name === 'string' ? name : shown(name),
    `digest algorithm ${shown(name)} is not available; known are ${known}${hint}`,
  )
}

/** A value for a message, truncated if it is long. */
export function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return 'an object'
  if (typeof value !== 'string') return typeof value === 'function' ? 'a function' : String(value)
  const text = JSON.stringify(value)
  return text.length > 200 ? `${text.slice(0, 200)}… (${value.length} characters)` : text
}
