import { copyImages } from '../../../index.ts'
import { list, on, type Command } from '../../command.ts'
import { formatFlag, isJson } from '../../image/format.ts'
import { limitFlag, limitsOf } from '../../image/limits.ts'
import { progress } from '../../image/progress.ts'
import { imageFlag, references } from '../../image/reference.ts'
import { showImages } from '../../image/result.ts'

export const copy: Command = {
  name: 'copy',
  aliases: ['cp'],
  usage: 'copy images to a layout or an archive',
  argsUsage: '<source>... <target>',
  description: `Copies images, or indexes with all their images, from any source to a layout, made where it is missing, or to a
new archive: oci-archive:FILE[:TAG], or docker-archive:FILE[:NAME] for docker load. Digests stay. With --platform only
the images for these platforms are copied, and an index becomes a smaller one; an archive for docker takes one of
them. Several sources keep their names.`,
  flags: [
    imageFlag,
    { name: 'platform', type: 'list', usage: 'os/architecture[/variant]; may be repeated' },
    limitFlag,
    { name: 'overwrite', type: 'switch', usage: 'replace an archive that exists' },
    formatFlag,
  ],
  min: 1,
  max: Infinity,
  run: async (invocation) => {
    const { context } = invocation
    const json = isJson(invocation)
    const sources = references(invocation, 2, Infinity)
    const to = sources.pop()!
    const platforms = list(invocation.flags, 'platform')
    using bar = progress('copying')
    const { images } = await copyImages(sources, {
      to,
      limits: limitsOf(invocation.flags),
      platforms: platforms.length > 0 ? platforms : undefined,
      overwrite: on(invocation.flags, 'overwrite'),
      onProgress: bar.update,
    })
    showImages(json, images)
    for (const { name, descriptor } of images) {
      if (name === undefined)
        context.log.warning(`${descriptor.digest} is copied without a tag: only its digest leads to it`)
    }
    return 0
  },
}
