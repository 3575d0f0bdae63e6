import { CaissonError, Image } from '../../../index.ts'
import { parsePlatform } from '../../../image/platform.ts'
import { text, type Command } from '../../command.ts'
import { formatFlag, isJson } from '../../image/format.ts'
import { imageFlag, inLayout, platformFlag, referenceAnd } from '../../image/reference.ts'
import { showImage } from '../../image/result.ts'
import { UsageError } from '../../usage-error.ts'

export const new_: Command = {
  name: 'new',
  usage: 'make an image without layers',
  argsUsage: '--image <layout>:<tag>',
  description: `Adds an image without layers to a layout, for this machine's platform or the one that is named. The layout
is made where it is missing.`,
  flags: [imageFlag, platformFlag, formatFlag],
  min: 0,
  max: 1,
  run: async (invocation) => {
    const json = isJson(invocation)
    const { path: layout, tag, digest } = inLayout(referenceAnd(invocation).reference)
    if (digest !== undefined || tag === undefined)
      throw new UsageError('a new image needs a tag: --image DIRECTORY:TAG')
    const wanted = text(invocation.flags, 'platform')
    const platform = wanted === undefined ? undefined : parsePlatform(wanted)
    if (wanted !== undefined && !platform) {
      throw new CaissonError(
        'ERR_INVALID_OPTION',
        `platform ${JSON.stringify(wanted)} is not os/architecture[/variant]`,
      )
    }
    const image = await Image.build({ layout, tag, platform })
    showImage(json, image.descriptor, tag)
    return 0
  },
}
