/** What a verb of the command line is. */
import type { Runtime } from '../index.ts'
import type { Flag, FlagValues } from './flags.ts'
import type { Log } from './log.ts'

/** What the global flags say. */
export interface Context {
  /** `caisson`, or the name it was called by when that is a runtime's. */
  program: string
  runtime: Runtime
  log: Log
  /** Whether `--root` was given. */
  explicitRoot: boolean
}

export interface Invocation {
  context: Context
  flags: FlagValues
  args: string[]
}

export interface Command {
  name: string
  usage: string
  /** After the flags in the usage line: `<container-id>`. */
  argsUsage: string
  description: string
  flags: readonly Flag[]
  /** Other names. */
  aliases?: readonly string[]
  /** Verbs below this one, which itself does nothing then. */
  subcommands?: readonly Command[]
  /** Number of positional arguments: exactly `min` where `max` is the same. */
  min: number
  max: number
  /** Prefixes every error with `caisson create failed: `, as runc does. */
  failurePrefix?: boolean
  /** Returns the exit status. */
  run: (invocation: Invocation) => Promise<number>
}

export function text(flags: FlagValues, name: string): string | undefined {
  const value = flags.get(name)
  return typeof value === 'string' ? value : undefined
}

export function on(flags: FlagValues, name: string): boolean {
  return flags.get(name) === true
}

export function number(flags: FlagValues, name: string): number | undefined {
  const value = flags.get(name)
  return typeof value === 'number' ? value : undefined
}

export function list(flags: FlagValues, name: string): string[] {
  const value = flags.get(name)
  return Array.isArray(value) ? value : []
}
