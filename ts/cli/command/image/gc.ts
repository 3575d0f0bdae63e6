import { Layout } from '../../../index.ts'
import { on, type Command } from '../../command.ts'
import { bytes, formatFlag, isJson, show } from '../../image/format.ts'
import { layoutFlag, layoutPath } from '../../image/reference.ts'

export const gc: Command = {
  name: 'gc',
  usage: 'remove blobs that nothing leads to',
  argsUsage: '--layout <directory>',
  description: 'Removes the blobs of a layout that its index does not lead to, once no process writes to it.',
  flags: [
    layoutFlag,
    { name: 'dry-run', type: 'switch', usage: 'say what would be removed, and leave it' },
    formatFlag,
  ],
  min: 0,
  max: 1,
  run: async (invocation) => {
    const json = isJson(invocation)
    const dryRun = on(invocation.flags, 'dry-run')
    const collected = await (await Layout.open(layoutPath(invocation))).collectGarbage({ dryRun })
    const { removed, kept } = collected
    const verb = dryRun ? 'would be removed' : 'removed'
    show(json, collected, [
      ...removed,
      `${removed.length} blobs ${verb} (${bytes(collected.bytes)}), ${kept} kept`,
    ])
    return 0
  },
}
