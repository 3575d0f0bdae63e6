import { text, type Command } from '../command.ts'
import { print } from '../output.ts'

export const plan: Command = {
  name: 'plan',
  usage: 'show what create would do, without doing it',
  argsUsage: '',
  description:
    'Prints the ordered operations that a bundle leads to, as JSON. Nothing is changed on the host.',
  flags: [
    { name: 'bundle', aliases: ['b'], type: 'text', usage: 'path to the root of the bundle directory' },
  ],
  min: 0,
  max: 0,
  run: async ({ context, flags }) => {
    print(`${JSON.stringify(await context.runtime.plan(text(flags, 'bundle') ?? '.'), undefined, 2)}\n`)
    return 0
  },
}
