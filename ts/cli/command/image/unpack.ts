import { hostPath } from '../../../image/host-path.ts'
import { processRights } from '../../../native/rights.ts'
import { on, type Command } from '../../command.ts'
import { writeRecord } from '../../image/bundle-record.ts'
import { limitFlag } from '../../image/limits.ts'
import { idMapFlags, idMappingsOf, idMapsOf } from '../../image/options.ts'
import { progress } from '../../image/progress.ts'
import { argsOf, imageFlag, openRunnable, platformFlag, referenceAnd } from '../../image/reference.ts'

export const unpack: Command = {
  name: 'unpack',
  usage: 'verify an image and make a bundle of it',
  argsUsage: '--image <layout>[:<tag>] <bundle>',
  description: `Verifies an image, for example oci:./images:latest, oci-archive:images.tar, docker-archive:saved.tar or
tar:rootfs.tar.gz, and makes a bundle of it: a new directory with rootfs and config.json. What it was made of is kept in caisson.json, for repack.
With --rootfs-only the directory is the root file system itself.`,
  flags: [
    imageFlag,
    platformFlag,
    limitFlag,
    { name: 'rootless', type: 'switch', usage: 'for an ordinary user: all files belong to the caller' },
    ...idMapFlags,
    {
      name: 'keep-dirlinks',
      type: 'switch',
      usage: 'a directory does not replace a link to a directory of the layers below: its files go there',
    },
    { name: 'rootfs-only', type: 'switch', usage: 'no bundle, only the root file system' },
  ],
  min: 1,
  max: 2,
  run: async (invocation) => {
    const { flags, context } = invocation
    const { reference, rest } = referenceAnd(invocation, 'bundle')
    const target = hostPath(rest[0]!, 'the bundle')
    const idMappings = idMappingsOf(flags)
    const rootless = on(flags, 'rootless') || !processRights().changesOwners
    const keepDirlinks = on(flags, 'keep-dirlinks')
    await using image = await openRunnable(invocation, reference)
    using bar = progress('unpacking')
    // COMPAT(umoci): placeholders for what an unprivileged user cannot create, which repack recognises.
    const fallback = rootless && !idMappings ? 'placeholder' : undefined
    const options = {
      rootless,
      idMappings,
      keepDirlinks,
      owners: fallback,
      devices: fallback,
      onProgress: bar.update,
    } as const
    if (on(flags, 'rootfs-only')) {
      const { warnings } = await image.unpackRootfs(target, options)
      for (const warning of warnings) context.log.warning(warning)
      return 0
    }
    const { warnings } = await image.unpack(target, { ...options, args: argsOf(image) })
    const { transport, path } = image.source
    await writeRecord(target, {
      digest: image.digest,
      transport,
      path,
      rootless: rootless && !idMappings,
      ...idMapsOf(flags),
      ...(keepDirlinks ? { keepDirlinks } : {}),
    })
    for (const warning of warnings) context.log.warning(warning)
    return 0
  },
}
