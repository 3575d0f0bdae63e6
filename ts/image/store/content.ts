/** Copies blobs to the store's layout: verified on the way, and atomically. */
import { createWriteStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Descriptor } from '../../spec/index.ts'
import type { Image } from '../image.ts'
import type { Layout } from '../layout.ts'
import { writeNewBlob } from '../layout/new-blob.ts'

const PREFIX = '.caisson-'

/** Copies the blobs of an image that the layout lacks. */
export async function copyContent(image: Image, layout: Layout, signal?: AbortSignal): Promise<void> {
  const { descriptor, manifest } = image
  for (const blob of [...manifest.layers, manifest.config, descriptor]) {
    signal?.throwIfAborted()
    if (!(await layout.has(blob.digest))) await copyBlob(image, blob, layout, signal)
  }
}

async function copyBlob(image: Image, blob: Descriptor, layout: Layout, signal?: AbortSignal): Promise<void> {
  await writeNewBlob(layout, async (path) => {
    try {
      await pipeline(image.blob(blob), createWriteStream(path), { signal })
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    }
    return blob
  })
}

export interface BlobFile {
  path: string
  /** Undefined for a leftover of a dead writer. */
  digest: string | undefined
}

/** All files below `blobs/`. */
export async function listBlobs(layout: Layout): Promise<BlobFile[]> {
  const found: BlobFile[] = []
  for (const algorithm of await readdir(join(layout.path, 'blobs'))) {
    const directory = join(layout.path, 'blobs', algorithm)
    for (const name of await readdir(directory)) {
      const path = join(directory, name)
      if (name.startsWith(PREFIX)) found.push({ path, digest: undefined })
      else if (/^[a-f0-9]+$/.test(name)) found.push({ path, digest: `${algorithm}:${name}` })
    }
  }
  return found
}
