import { Image, Layout } from '../../../index.ts'
import { text, type Command } from '../../command.ts'
import { formatFlag, isJson } from '../../image/format.ts'
import {
  compressionFlags,
  compressionOf,
  historyFlags,
  historyOf,
  ownerFlags,
  ownersOf,
} from '../../image/options.ts'
import { progress } from '../../image/progress.ts'
import { imageFlag, inLayout, openEditable, referenceAnd, tagFlag } from '../../image/reference.ts'
import { repackBundle } from '../../image/repack-bundle.ts'
import { showImage } from '../../image/result.ts'
import { bundleFlags } from './repack.ts'

export const commit: Command = {
  name: 'commit',
  usage: 'add what a container wrote to an image as a layer',
  argsUsage: '--image <layout>[:<tag>] <container-id>',
  description: `Adds what a container has changed to the image of its bundle, as repack does. With --upper the layer is made of
the upper directory of an overlay instead, on top of the image that is named. Stop or pause a container that writes.`,
  flags: [
    imageFlag,
    tagFlag,
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
    const createdBy = 'caisson image commit'
    if (upper === undefined) {
      const { reference, rest } = referenceAnd(invocation, 'container-id')
      const { path, tag = text(flags, 'tag') } = inLayout(reference)
      const container = await context.runtime.get(rest[0]!)
      const { bundle } = await container.state()
      const layout = await Layout.open(path)
      const image = await repackBundle(invocation, bundle, {
        layout,
        tag: text(flags, 'tag') ?? tag,
        createdBy,
      })
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
