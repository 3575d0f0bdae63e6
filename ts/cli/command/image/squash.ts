import { number, type Command } from '../../command.ts'
import { formatFlag, isJson } from '../../image/format.ts'
import { limitFlag } from '../../image/limits.ts'
import { compressionFlags, compressionOf, historyFlags, historyOf } from '../../image/options.ts'
import { progress } from '../../image/progress.ts'
import { imageFlag, openEditable, platformFlag, referenceAnd, tagFlag } from '../../image/reference.ts'
import { showImage } from '../../image/result.ts'

export const squash: Command = {
  name: 'squash',
  usage: 'make one layer of all',
  argsUsage: '--image <layout>[:<tag>] [--tag <new-tag>]',
  description: `Makes one layer of all layers of an image, or of those above the lowest N with --keep N. What an upper layer
hides is not in the result.`,
  flags: [
    imageFlag,
    tagFlag,
    platformFlag,
    limitFlag,
    { name: 'keep', type: 'number', usage: 'this many layers at the bottom stay as they are', default: 0 },
    ...compressionFlags,
    ...historyFlags,
    formatFlag,
  ],
  min: 0,
  max: 1,
  run: async (invocation) => {
    const json = isJson(invocation)
    const { flags } = invocation
    const options = { ...compressionOf(flags), history: historyOf(flags), keep: number(flags, 'keep') ?? 0 }
    const { image, layout, tag } = await openEditable(invocation, referenceAnd(invocation).reference)
    using bar = progress('squashing')
    const createdBy = 'caisson image squash'
    const made = await image.squash({ layout, tag, createdBy, ...options, onProgress: bar.update })
    showImage(json, made.descriptor, tag)
    return 0
  },
}
