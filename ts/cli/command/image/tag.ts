import { Layout } from '../../../index.ts'
import { REF_NAME } from '../../../image/layout.ts'
import type { Command } from '../../command.ts'
import { imageFlag, inLayout, openImage, referenceAnd } from '../../image/reference.ts'
import { checkTag } from '../../../image/reference.ts'

export const tag: Command = {
  name: 'tag',
  usage: 'give an image one more name',
  argsUsage: '--image <layout>[:<tag>] <new-tag>',
  description:
    'Gives an image, or an index with all its images, one more name, taking it from any other image.',
  flags: [imageFlag],
  min: 1,
  max: 2,
  run: async (invocation) => {
    const { reference, rest } = referenceAnd(invocation, 'new-tag')
    checkTag(rest[0])
    const { path, tag: old } = inLayout(reference)
    const layout = await Layout.open(path)
    const named = (await layout.index()).manifests.filter(
      ({ annotations }) => old !== undefined && annotations?.[REF_NAME] === old,
    )
    // A single entry is tagged unchanged, even an index; of several, the image for this machine.
    const descriptor = named.length === 1 ? named[0]! : (await openImage(invocation, reference)).descriptor
    await layout.tag(descriptor, rest[0]!)
    return 0
  },
}
