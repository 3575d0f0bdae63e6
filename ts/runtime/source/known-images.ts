/** Images of layouts that were opened by reference: the same as long as index.json is the same file. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Image } from '../../image/index.ts'
import { parseReference } from '../../image/reference.ts'
import { INDEX_FILE } from '../../image/source/layout-files.ts'

/** The one that was known first is forgotten. */
const MOST = 64

interface Known {
  stamp: string
  image: Image
}

export class KnownImages {
  readonly #known = new Map<string, Known>()

  /** Opens what `reference` names, for one use: `close` is called after it. Rejects as `Image.open` does. */
  async open(
    reference: string,
    signal: AbortSignal | undefined,
  ): Promise<{ image: Image; close: () => Promise<void> }> {
    // What the index says is looked at before it is read: one that is replaced in between is read again next time.
    const stamp = stampOf(reference)
    const known = this.#known.get(reference)
    if (known && known.stamp === stamp) return { image: known.image, close: nothing }
    const { Image } = await import('../../image/image.ts') // loaded on first use
    const image = await Image.open(reference, { signal })
    if (stamp === undefined) return { image, close: () => image.close() }
    this.#known.set(reference, { stamp, image })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST) break
      this.#known.delete(oldest)
    }
    return { image, close: nothing }
  }
}

/** Undefined for anything but a layout: archives are files that stay open until they are closed. */
function stampOf(reference: string): string | undefined {
  const { transport, path } = parseReference(reference)
  if (transport !== 'oci') return undefined
  const status = statSync(join(path, INDEX_FILE), { bigint: true, throwIfNoEntry: false })
  return status && [status.dev, status.ino, status.size, status.mtimeNs, status.ctimeNs].join()
}

function nothing(): Promise<void> {
  return Promise.resolve()
}
