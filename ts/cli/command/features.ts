import type { Command } from '../command.ts'
import { print } from '../output.ts'

export const features: Command = {
  name: 'features',
  usage: 'show the enabled features',
  argsUsage: '',
  description: 'Prints what this build can do as the features document of the runtime specification.',
  flags: [],
  min: 0,
  max: 0,
  run: async ({ context }) => {
    print(`${JSON.stringify(context.runtime.features(), undefined, 4)}\n`)
    return 0
  },
}
