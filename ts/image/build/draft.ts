/** An image in the making: documents not yet written, on layers that are. */
import { CaissonError } from '../../errors.ts'
import type { Descriptor, ImageConfig, ImageHistory, ImageManifest } from '../../spec/index.ts'
import { formatJson } from '../../spec/json/index.ts'
import { isTimestamp } from '../../spec/timestamp.ts'
import { runnableConfig, type ImageParts } from '../layer-blobs.ts'
import type { Layout } from '../layout.ts'
import { MEDIA_TYPE, writtenLayerType } from '../media-type.ts'
import { hostPlatform, normalizePlatform, type Platform } from '../platform.ts'
import type { HistoryOptions } from './content.ts'
import { timestamp } from './epoch.ts'

export interface Draft {
  config: ImageConfig
  manifest: ImageManifest
}

/** Without layers, for a platform. */
export function emptyDraft(platform: Platform | undefined, epoch: number | undefined): Draft {
  const { os, architecture, variant } = platform ? normalizePlatform(platform) : hostPlatform()
  // Variants that equal the architecture's default are left out, as everywhere.
  const said = variant !== '' && (platform?.variant || architecture === 'arm') ? { variant } : {}
  return {
    config: {
      created: timestamp(epoch),
      architecture,
      os,
      ...said,
      rootfs: { type: 'layers', diff_ids: [] },
      history: [],
    },
    manifest: {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.manifest,
      config: { mediaType: MEDIA_TYPE.config, digest: '', size: 0 },
      layers: [],
    },
  }
}

/** The documents of an image, to be changed; Docker's types become those of OCI. */
export function draftOf(image: ImageParts): Draft {
  const said = runnableConfig(image)
  const config = { ...said, rootfs: { ...said.rootfs, diff_ids: [...said.rootfs.diff_ids] } }
  const manifest = { ...image.manifest }
  if (manifest.layers.length !== config.rootfs.diff_ids.length) {
    const message = `${image.digest} has ${manifest.layers.length} layers, its configuration ${config.rootfs.diff_ids.length} diffIDs`
    throw new CaissonError('ERR_INVALID_IMAGE', message, { phase: 'write' })
  }
  manifest.mediaType = MEDIA_TYPE.manifest
  manifest.layers = manifest.layers.map((layer) => ({
    ...layer,
    mediaType: writtenLayerType(layer.mediaType),
  }))
  return { config, manifest }
}

/** Adds a history entry; `false` adds none. */
export function addHistory(
  { config }: Draft,
  history: HistoryOptions | false | undefined,
  defaults: { createdBy: string; epoch: number | undefined; empty?: boolean },
): void {
  if (history === false) return
  const {
    author = config.author ?? undefined,
    comment,
    created = timestamp(defaults.epoch),
    createdBy = defaults.createdBy,
  } = history ?? {}
  const entry: ImageHistory = {
    created,
    ...(author === undefined ? {} : { author }),
    created_by: createdBy,
    ...(comment === undefined ? {} : { comment }),
    ...(defaults.empty ? { empty_layer: true } : {}),
  }
  config.history = [...(config.history ?? []), entry]
}

/** Throws `ERR_INVALID_OPTION`. */
export function checkHistory(history: HistoryOptions | false | undefined): void {
  for (const [name, value] of Object.entries(history || {})) {
    if (value === undefined || (typeof value === 'string' && (name !== 'created' || isTimestamp(value))))
      continue
    const wanted = name === 'created' ? 'a time of RFC 3339' : 'a text'
    throw new CaissonError('ERR_INVALID_OPTION', `history.${name} must be ${wanted}`, { phase: 'validate' })
  }
}

/** Writes the documents and names the image. Resolves with the descriptor of the manifest. */
export async function finishDraft(
  layout: Layout,
  { config, manifest }: Draft,
  tag: string | undefined,
): Promise<Descriptor> {
  const { rootfs, history, ...rest } = config
  const document = { ...rest, rootfs, ...(history && history.length > 0 ? { history } : {}) }
  const written = await layout.writeBlob(formatJson(document), MEDIA_TYPE.config)
  // Unknown fields of the old descriptor describe the old document.
  const { data: _, ...described } = { ...manifest.config, ...written }
  return finishManifest(layout, { config, manifest: { ...manifest, config: described } }, tag)
}

/** Like `finishDraft`, with a configuration that is already written. */
export async function finishManifest(
  layout: Layout,
  { config, manifest }: Draft,
  tag: string | undefined,
): Promise<Descriptor> {
  const { schemaVersion, mediaType = MEDIA_TYPE.manifest, config: written, layers, ...more } = manifest
  const text = formatJson({ schemaVersion, mediaType, config: written, layers, ...more })
  const descriptor = await layout.writeBlob(text, mediaType)
  const { os, architecture, variant } = config
  const platform = { architecture, os, ...(variant ? { variant } : {}) }
  const full = { ...descriptor, platform }
  if (tag !== undefined) await layout.tag(full, tag)
  return full
}
