import type { Command } from '../command.ts'

export const start: Command = {
  name: 'start',
  usage: 'executes the user defined process in a created container',
  argsUsage: '<container-id>',
  description: 'Begins the program of a container that was made by "create".',
  flags: [],
  min: 1,
  max: 1,
  run: async ({ context, args }) => {
    const container = await context.runtime.get(args[0]!)
    await container.start()
    context.log.debug(`container ${container.id} started, pid ${container.pid}`)
    return 0
  },
}
