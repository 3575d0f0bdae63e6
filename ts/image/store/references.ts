/** What the images of a store refer to: everything else may be removed. */
import type { Descriptor } from '../../spec/index.ts'
import { chainIds } from '../../spec/chain-id.ts'
import { isConfigType, isIndexType, isManifestType } from '../media-type.ts'
import { parseConfig, parseIndex, parseManifest } from '../document.ts'
import type { Layout } from '../layout.ts'
import { readDocument } from '../source/read.ts'

export interface References {
  blobs: Set<string>
  snapshots: Set<string>
}

/** Follows every entry of the index. A missing or damaged document keeps itself and refers to nothing. */
export async function references(layout: Layout): Promise<References> {
  const found: References = { blobs: new Set(), snapshots: new Set() }
  const pending: Descriptor[] = [...(await layout.index()).manifests]
  for (let entry = pending.pop(); entry; entry = pending.pop()) {
    if (found.blobs.has(entry.digest)) continue
    found.blobs.add(entry.digest)
    try {
      pending.push(...(await follow(layout, entry, found)))
    } catch {
      continue // verify tells what is wrong with it
    }
  }
  return found
}

async function follow(layout: Layout, entry: Descriptor, found: References): Promise<Descriptor[]> {
  const { digest, mediaType } = entry
  if (isIndexType(mediaType)) {
    return (await parseIndex(await readDocument(layout, entry), `index ${digest}`, mediaType)).manifests
  }
  if (!isManifestType(mediaType)) return []
  const text = await readDocument(layout, entry)
  const { config, layers } = await parseManifest(text, `manifest ${digest}`, mediaType)
  for (const blob of [config, ...layers]) found.blobs.add(blob.digest)
  if (isConfigType(config.mediaType)) {
    const parsed = await parseConfig(await readDocument(layout, config), `configuration ${config.digest}`)
    for (const chainId of chainIds(parsed.rootfs.diff_ids)) found.snapshots.add(chainId)
  }
  return []
}
