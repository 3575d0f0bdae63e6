/** Moves an image's layers to another base. */
import { CaissonError } from '../../errors.ts'
import type { Descriptor } from '../../spec/index.ts'
import { copyLayers, type WriteOptions } from '../build/build.ts'
import { draftOf, finishDraft } from '../build/draft.ts'
import { sourceDateEpoch, timestamp } from '../build/epoch.ts'
import type { ImageParts } from '../layer-blobs.ts'
import { Layout } from '../layout.ts'
import { checkTag } from '../reference.ts'

export type RebaseOptions = Omit<WriteOptions, 'compression' | 'level' | 'threads' | 'onProgress'>

/**
 * Replaces the layers of `base` below those of `image` by the layers of `onto`. Throws `ERR_INVALID_OPTION` if `image`
 * is not built on `base`. No layer is rewritten: assumptions of the upper layers about the old base are not checked.
 */
export async function rebaseImage(
  image: ImageParts,
  base: ImageParts,
  onto: ImageParts,
  options: RebaseOptions,
): Promise<Descriptor> {
  const epoch = sourceDateEpoch(options.sourceDateEpoch)
  checkTag(options.tag)
  const [draft, below, fresh] = [draftOf(image), draftOf(base), draftOf(onto)]
  const { diff_ids: diffIds } = draft.config.rootfs
  const count = below.config.rootfs.diff_ids.length
  if (count > diffIds.length || below.config.rootfs.diff_ids.some((id, index) => id !== diffIds[index])) {
    throw new CaissonError(
      'ERR_INVALID_OPTION',
      `${image.digest} is not built on ${base.digest}: its lower layers are others`,
      {
        phase: 'validate',
        hint: 'name the very image that it was built on',
      },
    )
  }
  for (const name of ['os', 'architecture', 'variant'] as const) {
    if (fresh.config[name] !== draft.config[name]) {
      const message = `the new base is for ${name} ${fresh.config[name] ?? 'none'}, the image for ${draft.config[name] ?? 'none'}`
      throw new CaissonError('ERR_INVALID_OPTION', message, { phase: 'validate' })
    }
  }
  const layout = typeof options.layout === 'string' ? await Layout.create(options.layout) : options.layout
  using _ = await layout.protect(options.signal)
  const upper = { ...draft.manifest, layers: draft.manifest.layers.slice(count) }
  const { source, digest, config } = image
  await copyLayers({ source, digest, config, manifest: upper }, layout, options.signal)
  await copyLayers(onto, layout, options.signal)
  const oldHistory = (below.config.history ?? []).length
  draft.manifest.layers = [...fresh.manifest.layers, ...upper.layers]
  draft.config.rootfs.diff_ids = [...fresh.config.rootfs.diff_ids, ...diffIds.slice(count)]
  draft.config.history = [...(fresh.config.history ?? []), ...(draft.config.history ?? []).slice(oldHistory)]
  draft.config.created = timestamp(epoch)
  return finishDraft(layout, draft, options.tag)
}
