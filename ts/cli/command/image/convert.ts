import { text, type Command } from '../../command.ts'
import type { FlagValues } from '../../flags.ts'
import { formatFlag, isJson } from '../../image/format.ts'
import { limitFlag } from '../../image/limits.ts'
import { compressionFlags, compressionOf } from '../../image/options.ts'
import { progress } from '../../image/progress.ts'
import { imageFlag, openImage, platformFlag, references, targetOf } from '../../image/reference.ts'
import { showImage } from '../../image/result.ts'
import { UsageError } from '../../usage-error.ts'

export const convert: Command = {
  name: 'convert',
  usage: 'write an image as an OCI image, or in another compression',
  argsUsage: '<source> <layout>[:<tag>]',
  description: `Writes one image into a layout with OCI's media types, whatever it was before, or with Docker's. With --compress
its layers are compressed anew; what is in them stays the same, and so does the configuration.`,
  flags: [
    imageFlag,
    platformFlag,
    limitFlag,
    {
      name: 'media-types',
      type: 'text',
      usage: 'media types of the manifest: oci or docker',
      default: 'oci',
    },
    ...compressionFlags,
    formatFlag,
  ],
  min: 1,
  max: 2,
  run: async (invocation) => {
    const json = isJson(invocation)
    const [from, to] = references(invocation, 2, 2) as [string, string]
    const { path: layout, tag } = targetOf(to)
    const options = { ...compressionOf(invocation.flags), mediaTypes: mediaTypesOf(invocation.flags) }
    await using image = await openImage(invocation, from)
    using bar = progress('converting')
    const made = await image.convert({ layout, tag, ...options, onProgress: bar.update })
    showImage(json, made.descriptor, tag)
    return 0
  },
}

function mediaTypesOf(flags: FlagValues): 'oci' | 'docker' {
  const types = text(flags, 'media-types') ?? 'oci'
  if (types === 'oci' || types === 'docker') return types
  throw new UsageError(`invalid --media-types ${JSON.stringify(types)}: expected oci or docker`)
}
