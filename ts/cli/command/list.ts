import { existsSync } from 'node:fs'
import type { ContainerState } from '../../index.ts'
import { on, text, type Command } from '../command.ts'
import { print } from '../output.ts'
import { UsageError } from '../usage-error.ts'
import { ordered } from './state.ts'

const HEADER = ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER']

export const list: Command = {
  name: 'list',
  usage: 'lists containers started with the given root',
  argsUsage: '',
  description: 'Lists the containers of the state root (global option "--root").',
  flags: [
    { name: 'format', aliases: ['f'], type: 'text', usage: 'select one of: table or json', default: 'table' },
    { name: 'quiet', aliases: ['q'], type: 'switch', usage: 'display only container IDs' },
  ],
  min: 0,
  max: 0,
  run: async ({ context, flags }) => {
    const format = text(flags, 'format') ?? 'table'
    const { runtime, explicitRoot, log } = context
    if (explicitRoot && !existsSync(runtime.root)) {
      throw new UsageError(`open ${runtime.root}: no such file or directory`, false)
    }
    const states = await runtime.list()
    // COMPAT(runc): its words for one that it cannot read, which it leaves out of the list.
    for (const { id, problem } of states)
      if (problem !== undefined) log.warning(`load container ${id}: ${problem}`)
    if (on(flags, 'quiet')) print(states.map(({ id }) => `${id}\n`).join(''))
    else if (format === 'table') print(table(states))
    // COMPAT(runc): null in place of an empty list.
    else if (format === 'json') print(`${states.length > 0 ? JSON.stringify(states.map(ordered)) : 'null'}\n`)
    else throw new UsageError('invalid format option', false)
    return 0
  },
}

/** Go's tabwriter with a cell width of at least 12 and three blanks between cells. */
function table(states: readonly ContainerState[]): string {
  const rows = states.map(({ id, pid, status, bundle, created, owner }) => [
    id,
    `${pid}`,
    status,
    bundle,
    created,
    owner,
  ])
  const all = [HEADER, ...rows]
  const widths = HEADER.map((_, column) => Math.max(12, ...all.map((row) => row[column]!.length + 3)))
  const line = (row: string[]): string =>
    row.map((cell, column) => (column === HEADER.length - 1 ? cell : cell.padEnd(widths[column]!))).join('')
  return all.map((row) => `${line(row)}\n`).join('')
}
