import type { Command } from '../../command.ts'
import { formatFlag, isJson, show } from '../../image/format.ts'
import { limitFlag } from '../../image/limits.ts'
import { imageFlag, openImage, platformFlag, referenceAnd } from '../../image/reference.ts'

export const verify: Command = {
  name: 'verify',
  usage: 'check every blob and layer of an image',
  argsUsage: '--image <layout>[:<tag>]',
  description: `Reads every blob to its end and every layer as it would be unpacked, and lists all that is wrong: sizes, digests,
diffIDs, counts, archives. The exit status is 1 where anything is.`,
  flags: [imageFlag, platformFlag, limitFlag, formatFlag],
  min: 0,
  max: 1,
  run: async (invocation) => {
    const json = isJson(invocation)
    await using image = await openImage(invocation, referenceAnd(invocation).reference)
    const result = await image.verify()
    const { digest, problems, warnings } = result
    const found = problems.map(({ code, message }) => `${code}: ${message}`)
    show(json, result, [
      ...found,
      ...warnings.map((text) => `warning: ${text}`),
      ...(found.length === 0 ? [`${digest}: ok`] : []),
    ])
    return problems.length === 0 ? 0 : 1
  },
}
