/** One algorithm or several in one pass. */
import { SpecError } from '../errors.ts'
import { findAlgorithm, requireAlgorithm } from './algorithm.ts'
import { createDigester, type Digester } from './digester.ts'
import type { DigestsOf } from './grammar.ts'

export type Algorithms = string | readonly string[]

/** The validated names. Throws {@link DigestError} `unsupported`, and `ERR_INVALID_OPTION` for an empty list. */
export function namesOf(algorithms: Algorithms): readonly string[] {
  const names = typeof algorithms === 'string' ? [algorithms] : algorithms
  if (!Array.isArray(names) || names.length === 0) {
    const issue = { path: 'algorithm', message: 'must be a name or a list of at least one' }
    throw new SpecError('ERR_INVALID_OPTION', 'digest', [issue])
  }
  for (const name of names) requireAlgorithm(name)
  return names
}

/** Whether native threads can compute all of them. */
export function areNative(names: readonly string[]): boolean {
  return names.every((name) => findAlgorithm(name)?.source !== 'program')
}

/** One digest for a name, an array for a list. */
export function shaped<A extends Algorithms>(algorithms: A, digests: readonly string[]): DigestsOf<A> {
  return (typeof algorithms === 'string' ? digests[0] : [...digests]) as DigestsOf<A>
}

/** Digesters that get the same input. */
export class Digesters {
  readonly #all: Digester[]

  constructor(names: readonly string[]) {
    this.#all = names.map((name) => createDigester(name))
  }

  update(bytes: Uint8Array): void {
    for (const digester of this.#all) digester.update(bytes)
  }

  digests(): string[] {
    return this.#all.map((digester) => digester.digest())
  }
}
