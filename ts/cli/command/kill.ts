import { CaissonError } from '../../index.ts'
import { on, type Command } from '../command.ts'

export const kill: Command = {
  name: 'kill',
  usage: "kill sends the specified signal (default: SIGTERM) to the container's init process",
  argsUsage: '<container-id> [signal]',
  description: 'The signal is a name with or without SIG, or a number.',
  flags: [
    {
      name: 'all',
      aliases: ['a'],
      type: 'switch',
      usage: 'send the signal to all processes inside the container',
    },
  ],
  min: 1,
  max: 2,
  run: async ({ context, flags, args }) => {
    const container = await context.runtime.get(args[0]!)
    const all = on(flags, 'all')
    try {
      await container.kill(args[1] || 'SIGTERM', { all }) // COMPAT(runc): the default in place of an empty word
      context.log.debug(`signal ${args[1] || 'SIGTERM'} sent to container ${container.id}`)
    } catch (error) {
      // COMPAT(runc): with --all a container without processes is not an error.
      const gone = error instanceof CaissonError && error.code === 'ERR_INVALID_STATE'
      if (!all || !gone) throw error
    }
    return 0
  },
}
