import { Image } from '../../index.ts'
import { on, type Command } from '../command.ts'
import { UsageError } from '../usage-error.ts'

export const image: Command = {
  name: 'image',
  usage: 'work with image layouts',
  argsUsage: 'unpack <reference> <bundle>',
  description: `unpack: verifies an image, for example oci:./images:latest, oci-archive:images.tar, docker-archive:saved.tar
or tar:rootfs.tar.gz, and makes a bundle of it: a new directory with rootfs and config.json.`,
  flags: [
    { name: 'rootless', type: 'switch', usage: 'for an ordinary user: all files belong to the caller' },
  ],
  min: 3,
  max: 3,
  run: async ({ flags, args }) => {
    const [verb, reference, bundle] = args as [string, string, string]
    if (verb !== 'unpack') throw new UsageError(`unknown subcommand ${JSON.stringify(verb)} of image`)
    const rootless = on(flags, 'rootless') || process.geteuid?.() !== 0
    await using image = await Image.open(reference)
    await image.unpack(bundle, { rootless })
    return 0
  },
}
