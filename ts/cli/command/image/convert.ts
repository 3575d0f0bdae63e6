import type { Command } from '../../command.ts'
import { formatFlag, isJson } from '../../image/format.ts'
import { compressionFlags, compressionOf } from '../../image/options.ts'
import { progress } from '../../image/progress.ts'
import { inLayout, openImage, platformFlag, withTransport } from '../../image/reference.ts'
import { showImage } from '../../image/result.ts'

export const convert: Command = {
  name: 'convert',
  usage: 'write an image as an OCI image, or in another compression',
  argsUsage: '<source> <layout>[:<tag>]',
  description: `Writes one image into a layout with OCI's media types, whatever it was before. With --compress its layers are
compressed anew; what is in them stays the same.`,
  flags: [platformFlag, ...compressionFlags, formatFlag],
  min: 2,
  max: 2,
  run: async (invocation) => {
    const json = isJson(invocation)
    const [from, to] = invocation.args as [string, string]
    const { path: layout, tag } = inLayout(withTransport(to))
    const options = compressionOf(invocation.flags)
    await using image = await openImage(invocation, withTransport(from))
    using bar = progress('converting')
    const made = await image.convert({ layout, tag, ...options, onProgress: bar.update })
    showImage(json, made.descriptor, tag)
    return 0
  },
}
