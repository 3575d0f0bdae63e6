import type { ContainerState } from '../../index.ts'
import type { Command } from '../command.ts'
import { print } from '../output.ts'

export const state: Command = {
  name: 'state',
  usage: 'output the state of a container',
  argsUsage: '<container-id>',
  description: 'Prints the state of a container as JSON.',
  flags: [],
  min: 1,
  max: 1,
  run: async ({ context, args }) => {
    const container = await context.runtime.get(args[0]!)
    print(JSON.stringify(ordered(await container.state()), undefined, 2))
    return 0
  },
}

/** COMPAT(runc): the order of its keys; annotations are left out where they are empty. */
export function ordered(container: ContainerState): Record<string, unknown> {
  const { ociVersion, id, pid, status, bundle, rootfs, created, annotations, owner } = container
  const some = Object.keys(annotations).length > 0
  return { ociVersion, id, pid, status, bundle, rootfs, created, ...(some ? { annotations } : {}), owner }
}
