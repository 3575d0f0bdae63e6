import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defaultSpec } from '../../image/default-spec.ts'
import { on, text, type Command } from '../command.ts'
import { UsageError } from '../usage-error.ts'

export const spec: Command = {
  name: 'spec',
  usage: 'create a new specification file',
  argsUsage: '',
  description: `Writes config.json of a container that runs "sh" in the directory "rootfs" beside it. With --rootless
for an ordinary user: the own user and group id become root's inside.`,
  flags: [
    { name: 'bundle', aliases: ['b'], type: 'text', usage: 'path to the root of the bundle directory' },
    { name: 'rootless', type: 'switch', usage: 'generate a configuration for a rootless container' },
  ],
  min: 0,
  max: 0,
  run: async ({ flags }) => {
    const path = join(text(flags, 'bundle') ?? '', 'config.json')
    // COMPAT(runc): its sentences, and a file without a newline at its end.
    if (!existsSync(dirname(path)))
      throw new UsageError(`chdir ${dirname(path)}: no such file or directory`, false)
    const json = JSON.stringify(defaultSpec({ rootless: on(flags, 'rootless') }), undefined, '\t')
    try {
      writeFileSync(path, json, { flag: 'wx' }) // SECURITY: a link that dangles is a file that exists
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      throw new UsageError('File config.json exists. Remove it first', false)
    }
    return 0
  },
}
