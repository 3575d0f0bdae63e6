import { resolve } from 'node:path'
import { on, type Command } from '../../command.ts'
import { writeRecord } from '../../image/bundle-record.ts'
import { progress } from '../../image/progress.ts'
import { imageFlag, openImage, platformFlag, referenceAnd } from '../../image/reference.ts'

export const unpack: Command = {
  name: 'unpack',
  usage: 'verify an image and make a bundle of it',
  argsUsage: '<reference> <bundle>',
  description: `Verifies an image, for example oci:./images:latest, oci-archive:images.tar, docker-archive:saved.tar or
tar:rootfs.tar.gz, and makes a bundle of it: a new directory with rootfs and config.json. What it was made of is kept in caisson.json, for repack.`,
  flags: [
    imageFlag,
    platformFlag,
    { name: 'rootless', type: 'switch', usage: 'for an ordinary user: all files belong to the caller' },
  ],
  min: 1,
  max: 2,
  run: async (invocation) => {
    const { reference, rest } = referenceAnd(invocation, 'bundle')
    const bundle = resolve(rest[0]!)
    const rootless = on(invocation.flags, 'rootless') || process.geteuid?.() !== 0
    await using image = await openImage(invocation, reference)
    using bar = progress('unpacking')
    // An image without a program is a bundle that is changed and packed again.
    const { Entrypoint, Cmd } = image.config?.config ?? {}
    const args = (Entrypoint ?? []).length + (Cmd ?? []).length > 0 ? undefined : ['sh']
    const result = await image.unpack(bundle, {
      rootless,
      args,
      owners: rootless ? 'placeholder' : undefined,
      onProgress: bar.update,
    })
    const { transport, path } = image.source
    await writeRecord(bundle, { digest: image.digest, transport, path, rootless, uidMap: [], gidMap: [] })
    for (const warning of result.warnings) invocation.context.log.warning(warning)
    return 0
  },
}
