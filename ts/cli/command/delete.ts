import { CaissonError } from '../../index.ts'
import { on, type Command } from '../command.ts'

export const delete_: Command = {
  name: 'delete',
  usage: 'delete any resources held by the container often used with detached container',
  argsUsage: '<container-id>',
  description: 'Removes a container that has ended, or was created and never started.',
  flags: [
    {
      name: 'force',
      aliases: ['f'],
      type: 'switch',
      usage: 'forcibly deletes the container if it is still running (uses SIGKILL)',
    },
  ],
  min: 1,
  max: 1,
  run: async ({ context, flags, args }) => {
    const force = on(flags, 'force')
    try {
      const container = await context.runtime.get(args[0]!)
      await container.delete({ force })
      context.log.debug(`container ${container.id} deleted`)
    } catch (error) {
      // COMPAT(runc): forced deletion of what is not there is fine, in silence.
      if (!force || !(error instanceof CaissonError && error.code === 'ERR_NOT_FOUND')) throw error
    }
    return 0
  },
}
