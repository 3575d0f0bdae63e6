import { closeSync, openSync, rmSync } from 'node:fs'
import { isatty } from 'node:tty'
import { exportRootfsTo } from '../../../image/read/rootfs.ts'
import { text, type Command } from '../../command.ts'
import { limitFlag } from '../../image/limits.ts'
import { progress } from '../../image/progress.ts'
import { imageFlag, openImage, platformFlag, referenceAnd } from '../../image/reference.ts'
import { UsageError } from '../../usage-error.ts'

export const export_: Command = {
  name: 'export',
  usage: 'write the root file system as a tar archive',
  argsUsage: '--image <layout>[:<tag>] [--output <file>]',
  description: `Writes what all layers make together as a plain archive, to a new file or to standard output, without unpacking
anything. With --path only one directory.`,
  flags: [
    imageFlag,
    platformFlag,
    limitFlag,
    { name: 'output', aliases: ['o'], type: 'text', usage: 'a new file, in place of standard output' },
    { name: 'path', type: 'text', usage: 'a directory of the image' },
  ],
  min: 0,
  max: 1,
  run: async (invocation) => {
    const { flags } = invocation
    const output = text(flags, 'output')
    if (output === '') throw new UsageError('--output must name a file')
    if (output === undefined && isatty(1))
      throw new UsageError('an archive is nothing for a terminal: use --output', false)
    await using image = await openImage(invocation, referenceAnd(invocation).reference)
    using bar = progress('exporting')
    const fd = output === undefined ? 1 : openSync(output, 'wx')
    try {
      await exportRootfsTo(image, fd, { path: text(flags, 'path'), onProgress: bar.update })
    } catch (error) {
      if (output !== undefined) rmSync(output, { force: true })
      throw error
    } finally {
      if (output !== undefined) closeSync(fd)
    }
    return 0
  },
}
