/** The files of the command line, hashed side by side and answered in their order. */
import { digestFile, type Digest } from '../../digest/index.ts'
import type { ProgressBar } from './progress-bar.ts'

/** Files under way at once; the native threads take as many of them as there are processors. */
const WINDOW = 16

export type Hashed<T> = { item: T; digests: Digest[] } | { item: T; error: unknown }

/** What to hash: `-` is standard input. */
export interface ToHash {
  file: string | Uint8Array
  shown: string
  algorithms: readonly string[]
}

/** Yields in the order given; a file that fails has its error in the result. */
export async function* hashed<T>(
  items: AsyncIterable<T> | Iterable<T>,
  describe: (item: T) => ToHash,
  bar: ProgressBar,
): AsyncGenerator<Hashed<T>> {
  const running: Promise<Hashed<T>>[] = []
  for await (const item of items) {
    running.push(hash(item, describe(item), bar))
    if (running.length >= WINDOW) yield await running.shift()!
  }
  for (const each of running) yield await each
}

async function hash<T>(item: T, { file, shown, algorithms }: ToHash, bar: ProgressBar): Promise<Hashed<T>> {
  const tracked = bar.track(shown)
  try {
    const digests = await digestFile(file === '-' ? 0 : file, algorithms, { onProgress: tracked?.progress })
    return { item, digests: digests as Digest[] }
  } catch (error) {
    return { item, error }
  } finally {
    tracked?.done()
  }
}
