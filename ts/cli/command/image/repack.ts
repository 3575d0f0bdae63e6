import { Layout } from '../../../index.ts'
import type { Command } from '../../command.ts'
import { formatFlag, isJson } from '../../image/format.ts'
import { limitFlag } from '../../image/limits.ts'
import { compressionFlags, historyFlags, ownerFlags } from '../../image/options.ts'
import { imageFlag, targetOf, referenceAnd } from '../../image/reference.ts'
import { repackBundle } from '../../image/repack-bundle.ts'
import { showImage } from '../../image/result.ts'

export const bundleFlags = [
  { name: 'mask-path', type: 'list', usage: 'a path in which changes do not count; may be repeated' },
  { name: 'no-mask-volumes', type: 'switch', usage: 'changes in the volumes of the image count' },
  { name: 'refresh-bundle', type: 'switch', usage: 'the bundle is one of the new image from now on' },
] as const

export const repack: Command = {
  name: 'repack',
  usage: 'add the changes of a bundle to its image as a layer',
  argsUsage: '--image <layout>[:<new-tag>] <bundle>',
  description: `Compares the root file system of a bundle with the image that it was unpacked from, writes what has changed as
a layer, and tags the result. Content counts, not only sizes and times. Where nothing has changed no layer is added.
Bundles of umoci are taken as well.`,
  flags: [
    imageFlag,
    limitFlag,
    ...bundleFlags,
    ...ownerFlags,
    ...compressionFlags,
    ...historyFlags,
    formatFlag,
  ],
  min: 1,
  max: 2,
  run: async (invocation) => {
    const json = isJson(invocation)
    const { reference, rest } = referenceAnd(invocation, 'bundle')
    const { path, tag } = targetOf(reference)
    const layout = await Layout.open(path)
    const image = await repackBundle(invocation, rest[0]!, { layout, tag, createdBy: 'caisson image repack' })
    showImage(json, image.descriptor, tag)
    return 0
  },
}
