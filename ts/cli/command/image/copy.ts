import { copyImage } from '../../../index.ts'
import { list, type Command } from '../../command.ts'
import { formatFlag, isJson } from '../../image/format.ts'
import { progress } from '../../image/progress.ts'
import { inLayout, withTransport } from '../../image/reference.ts'
import { showImage } from '../../image/result.ts'

export const copy: Command = {
  name: 'copy',
  aliases: ['cp'],
  usage: 'copy an image into a layout',
  argsUsage: '<source> <layout>[:<tag>]',
  description: `Copies an image, or an index with all its images, from any source into a layout, made where it is missing.
Digests stay. With --platform only the images for these platforms are copied, and an index becomes a smaller one.`,
  flags: [
    { name: 'platform', type: 'list', usage: 'os/architecture[/variant]; may be repeated' },
    formatFlag,
  ],
  min: 2,
  max: 2,
  run: async (invocation) => {
    const json = isJson(invocation)
    const [from, to] = invocation.args as [string, string]
    const { path: layout, tag } = inLayout(withTransport(to))
    const platforms = list(invocation.flags, 'platform')
    using bar = progress('copying')
    const { descriptor } = await copyImage(withTransport(from), {
      layout,
      tag,
      platforms: platforms.length > 0 ? platforms : undefined,
      onProgress: bar.update,
    })
    showImage(json, descriptor, tag)
    return 0
  },
}
