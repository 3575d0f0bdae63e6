import { readFileTo } from '../../../image/read/rootfs.ts'
import type { Command } from '../../command.ts'
import { limitFlag } from '../../image/limits.ts'
import { imageFlag, openImage, platformFlag, referenceAnd } from '../../image/reference.ts'

export const cat: Command = {
  name: 'cat',
  usage: 'write one file of an image to standard output',
  argsUsage: '--image <layout>[:<tag>] <path>',
  description:
    'Writes the content of one file, without unpacking the rest. Links are followed inside the image.',
  flags: [imageFlag, platformFlag, limitFlag],
  min: 1,
  max: 2,
  run: async (invocation) => {
    const { reference, rest } = referenceAnd(invocation, 'path')
    await using image = await openImage(invocation, reference)
    await readFileTo(image, rest[0]!, 1)
    return 0
  },
}
