import { Layout } from '../../../index.ts'
import { REF_NAME } from '../../../image/layout.ts'
import type { Command } from '../../command.ts'
import { formatFlag, isJson, show } from '../../image/format.ts'
import { layoutFlag, layoutPath } from '../../image/reference.ts'

export const ls: Command = {
  name: 'ls',
  aliases: ['list'],
  usage: 'list the tags of a layout',
  argsUsage: '--layout <directory>',
  description: 'Lists the tags of a layout, one a line. With --format json everything that its index says.',
  flags: [layoutFlag, formatFlag],
  min: 0,
  max: 1,
  run: async (invocation) => {
    const json = isJson(invocation)
    const layout = await Layout.open(layoutPath(invocation))
    const { manifests } = await layout.index()
    const entries = manifests.map(({ annotations, ...descriptor }) => {
      const { [REF_NAME]: tag = null, ...others } = annotations ?? {}
      return { tag, ...descriptor, ...(Object.keys(others).length > 0 ? { annotations: others } : {}) }
    })
    show(json, entries, await layout.tags())
    return 0
  },
}
