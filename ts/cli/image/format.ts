/** Output of verbs: plain lines for users, JSON for programs. */
import { on, text, type Invocation } from '../command.ts'
import type { Flag } from '../flags.ts'
import { print } from '../output.ts'
import { UsageError } from '../usage-error.ts'
import { visible } from '../../visible.ts'

export const formatFlag: Flag = {
  name: 'format',
  aliases: ['f'],
  type: 'text',
  usage: 'select one of: text or json',
  default: 'text',
}

/** umoci's name for `--format json`. */
export const jsonFlag: Flag = { name: 'json', type: 'switch', usage: 'the same as --format json' }

/** Throws {@link UsageError} for an unknown format; verbs call it before they do anything. */
export function isJson({ flags }: Invocation): boolean {
  const format = text(flags, 'format') ?? (on(flags, 'json') ? 'json' : 'text')
  if (format === 'text' || format === 'json') return format === 'json'
  throw new UsageError('invalid format option', false)
}

/** Prints the value as JSON, or the lines. */
export function show(json: boolean, value: unknown, lines: readonly string[]): void {
  if (json) print(`${JSON.stringify(value, undefined, 2)}\n`)
  else if (lines.length > 0) print(`${lines.join('\n')}\n`)
}

/** Aligned columns. */
export function table(cells: readonly (readonly string[])[]): string[] {
  // Escaped first, so that columns stay aligned.
  const rows = cells.map((row) => row.map(visible))
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]!.length))) ?? []
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

export function bytes(count: number): string {
  const unit = Math.min(UNITS.length - 1, count < 1000 ? 0 : Math.floor(Math.log10(count) / 3))
  return `${unit === 0 ? count : (count / 1000 ** unit).toFixed(2)} ${UNITS[unit]}`
}
