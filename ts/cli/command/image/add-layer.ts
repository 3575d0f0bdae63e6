import { Image } from '../../../index.ts'
import { on, type Command } from '../../command.ts'
import { formatFlag, isJson } from '../../image/format.ts'
import { limitFlag } from '../../image/limits.ts'
import { compressionFlags, compressionOf, historyFlags, historyOf } from '../../image/options.ts'
import { progress } from '../../image/progress.ts'
import { imageFlag, openEditable, platformFlag, referenceAnd, tagFlag } from '../../image/reference.ts'
import { showImage } from '../../image/result.ts'

export const addLayer: Command = {
  name: 'add-layer',
  usage: 'add a ready archive to an image as a layer',
  argsUsage: '--image <layout>[:<tag>] <layer.tar>',
  description: `Adds an archive, compressed or not, as a new layer. It is read to its end and checked, and compressed as the
option says, or kept byte by byte.`,
  flags: [
    imageFlag,
    tagFlag,
    platformFlag,
    limitFlag,
    { name: 'verbatim', type: 'switch', usage: 'keep the archive byte by byte, with its own compression' },
    ...compressionFlags,
    ...historyFlags,
    formatFlag,
  ],
  min: 1,
  max: 2,
  run: async (invocation) => {
    const { flags } = invocation
    const json = isJson(invocation)
    const { reference, rest } = referenceAnd(invocation, 'layer.tar')
    const layer = { archive: rest[0]!, verbatim: on(flags, 'verbatim'), history: historyOf(flags) }
    const { image, layout, tag } = await openEditable(invocation, reference)
    using bar = progress('packing')
    const options = {
      from: image,
      layout,
      tag,
      createdBy: 'caisson image add-layer',
      ...compressionOf(flags),
    }
    const made = await Image.build({ ...options, layers: [layer], onProgress: bar.update })
    showImage(json, made.descriptor, tag)
    return 0
  },
}
