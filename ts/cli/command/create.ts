import type { Command } from '../command.ts'
import { containerFromFlags } from '../container-from-flags.ts'
import { createFlags } from '../create-flags.ts'

export const create: Command = {
  name: 'create',
  usage: 'create a container',
  argsUsage: '<container-id>',
  description: `Makes a container from a bundle, a directory with config.json and a root file system, up to the
point where the user's program would begin. "start" begins it.`,
  flags: createFlags,
  min: 1,
  max: 1,
  failurePrefix: true,
  run: async (invocation) => {
    await containerFromFlags(invocation, { detached: true, outlives: true })
    return 0
  },
}
