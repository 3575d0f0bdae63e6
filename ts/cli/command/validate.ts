import { readFileSync } from 'node:fs'
import { SpecError } from '../../index.ts'
import { parseRuntimeSpec } from '../../spec/index.ts'
import type { Command } from '../command.ts'
import { print, printError } from '../output.ts'

export const validate: Command = {
  name: 'validate',
  usage: 'check a configuration file',
  argsUsage: '<config.json>',
  description:
    'Reads a config.json and prints every problem with its place. The status is 1 where there is one.',
  flags: [],
  min: 1,
  max: 1,
  run: async ({ args }) => {
    const path = args[0]!
    try {
      parseRuntimeSpec(readFileSync(path, 'utf8'))
    } catch (error) {
      if (!(error instanceof SpecError)) throw error
      for (const { path: place, message } of error.issues) printError(`${place || path}: ${message}\n`)
      return 1
    }
    print(`${path}: valid\n`)
    return 0
  },
}
