import { replaceFile } from '../../../image/layout/file.ts'
import { processRights } from '../../../native/rights.ts'
import { on, text, type Command } from '../../command.ts'
import { limitFlag } from '../../image/limits.ts'
import { idMapFlags, idMappingsOf } from '../../image/options.ts'
import { argsOf, imageFlag, openRunnable, platformFlag, referenceAnd } from '../../image/reference.ts'

export const runtimeConfig: Command = {
  name: 'runtime-config',
  usage: 'write the config.json of an image',
  argsUsage: '--image <layout>[:<tag>] [--rootfs <directory>] <config.json>',
  description: `Writes what unpack makes of the configuration of an image, without unpacking it. A user that has a name in the image
is looked up in the directory of --rootfs, which must be given then. A file that is there is replaced.`,
  flags: [
    imageFlag,
    platformFlag,
    limitFlag,
    { name: 'rootfs', type: 'text', usage: 'where users and groups are looked up' },
    { name: 'rootless', type: 'switch', usage: 'for an ordinary user: a user namespace with one id' },
    ...idMapFlags,
  ],
  min: 1,
  max: 2,
  run: async (invocation) => {
    const { flags } = invocation
    const { reference, rest } = referenceAnd(invocation, 'config.json')
    const idMappings = idMappingsOf(flags)
    const rootless = on(flags, 'rootless') || processRights().needsUserNamespace
    await using image = await openRunnable(invocation, reference)
    const spec = image.runtimeConfig({
      rootfs: text(flags, 'rootfs'),
      rootless,
      idMappings,
      args: argsOf(image),
    })
    await replaceFile(rest[0]!, `${JSON.stringify(spec, null, 2)}\n`, 0o600)
    return 0
  },
}
