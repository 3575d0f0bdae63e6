import { existsSync } from 'node:fs'
import { CaissonError, Layout } from '../../../index.ts'
import type { Command } from '../../command.ts'
import { layoutFlag, layoutPath } from '../../image/reference.ts'

export const init: Command = {
  name: 'init',
  usage: 'make an empty layout',
  argsUsage: '--layout <directory>',
  description: 'Makes an empty image layout in a directory that must not exist yet.',
  flags: [layoutFlag],
  min: 0,
  max: 1,
  run: async (invocation) => {
    const path = layoutPath(invocation)
    if (existsSync(path)) {
      throw new CaissonError('ERR_EXISTS', `${path} exists already`, { path, phase: 'validate' })
    }
    await Layout.create(path)
    return 0
  },
}
