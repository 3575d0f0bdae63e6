import { Layout } from '../../../index.ts'
import type { Command } from '../../command.ts'
import { imageFlag, inLayout, referenceAnd } from '../../image/reference.ts'
import { UsageError } from '../../usage-error.ts'

export const rm: Command = {
  name: 'rm',
  aliases: ['remove'],
  usage: 'take a tag away',
  argsUsage: '--image <layout>:<tag>',
  description: 'Removes a tag from a layout. What no tag leads to any more is removed by gc.',
  flags: [imageFlag],
  min: 0,
  max: 1,
  run: async (invocation) => {
    const { path, tag } = inLayout(referenceAnd(invocation).reference)
    if (tag === undefined) throw new UsageError('say which tag: --image DIRECTORY:TAG')
    await (await Layout.open(path)).untag(tag)
    return 0
  },
}
