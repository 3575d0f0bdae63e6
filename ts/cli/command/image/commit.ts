import { Image, Layout, type Container } from '../../../index.ts'
import { list, on, text, type Command, type Invocation } from '../../command.ts'
import { formatFlag, isJson } from '../../image/format.ts'
import { limitFlag, limitsOf } from '../../image/limits.ts'
import {
  compressionFlags,
  compressionOf,
  historyFlags,
  historyOf,
  ownerFlags,
  ownersOf,
} from '../../image/options.ts'
import { progress } from '../../image/progress.ts'
import { imageFlag, targetOf, openEditable, referenceAnd, tagFlag } from '../../image/reference.ts'
import { repackBundle } from '../../image/repack-bundle.ts'
import { showImage } from '../../image/result.ts'
import { UsageError } from '../../usage-error.ts'
import { bundleFlags } from './repack.ts'

const createdBy = 'caisson image commit'

export const commit: Command = {
  name: 'commit',
  usage: 'add what a container wrote to an image as a layer',
  argsUsage: '--image <layout>[:<tag>] <container-id>',
  description: `Adds what a container has changed to the image that it was made from, which is copied to the layout as far as it is not
there; a container with a bundle is packed as repack does it. With --upper the layer is made of the upper directory of an overlay
instead, on top of the image that is named. Stop or pause a container that writes.`,
  flags: [
    imageFlag,
    tagFlag,
    limitFlag,
    { name: 'upper', type: 'text', usage: 'upper directory of an overlay, in place of a container' },
    ...bundleFlags,
    ...ownerFlags,
    ...compressionFlags,
    ...historyFlags,
    formatFlag,
  ],
  min: 0,
  max: 2,
  run: async (invocation) => {
    const { flags, context } = invocation
    const json = isJson(invocation)
    const upper = text(flags, 'upper')
    if (upper === undefined) {
      const { reference, rest } = referenceAnd(invocation, 'container-id')
      const { path, tag: named } = targetOf(reference)
      const tag = text(flags, 'tag') ?? named
      const container = await context.runtime.get(rest[0]!)
      const layout = await Layout.open(path)
      const target = { layout, tag, createdBy }
      const image = container.image
        ? await commitContainer(invocation, container, target)
        : await repackBundle(invocation, (await container.state()).bundle, target)
      showImage(json, image.descriptor, tag)
      return 0
    }
    const { image, layout, tag } = await openEditable(invocation, referenceAnd(invocation).reference)
    using bar = progress('packing')
    const layer = { upper, ...ownersOf(flags), history: historyOf(flags) }
    const options = { from: image, layout, tag, createdBy, ...compressionOf(flags), onProgress: bar.update }
    const made = await Image.build({ ...options, layers: [layer] })
    showImage(json, made.descriptor, tag)
    return 0
  },
}

/** A container whose root file system is made from the layers of an image. */
async function commitContainer(
  { flags }: Invocation,
  container: Container,
  target: { layout: Layout; tag: string | undefined; createdBy: string },
): Promise<Image> {
  for (const name of ['no-mask-volumes', 'refresh-bundle']) {
    if (on(flags, name)) throw new UsageError(`--${name} is for containers with a bundle`)
  }
  using bar = progress('packing')
  return container.commit({
    ...target,
    limits: limitsOf(flags),
    ...compressionOf(flags),
    ...ownersOf(flags),
    mask: list(flags, 'mask-path'),
    history: historyOf(flags),
    onProgress: bar.update,
  })
}
