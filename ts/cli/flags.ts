/**
 * Flags as Go's programs take them: one dash or two, `--flag=value` and `--flag value`, `--flag=false` for switches,
 * and `--` ends them. Options are also taken after the first positional argument, because engines put them there.
 */
import { UsageError } from './usage-error.ts'

export interface Flag {
  name: string
  /** Other names: `b` for `-b`. */
  aliases?: readonly string[]
  type: 'switch' | 'text' | 'number' | 'list'
  /** For the help text. */
  usage: string
  default?: string | number
  hidden?: boolean
  /** The flag is known, its work is not done yet: naming it is an error that says this. */
  unsupported?: string
}

export type FlagValues = ReadonlyMap<string, string | number | boolean | string[]>

export interface Parsed {
  flags: FlagValues
  positionals: string[]
}

const HELP: Flag = { name: 'help', aliases: ['h'], type: 'switch', usage: 'show help' }

/** `interleaved: false` stops at the first positional argument. Throws {@link UsageError}. */
export function parseFlags(args: readonly string[], known: readonly Flag[], interleaved = true): Parsed {
  const byName = new Map<string, Flag>()
  for (const flag of [...known, HELP])
    for (const name of [flag.name, ...(flag.aliases ?? [])]) byName.set(name, flag)
  const flags = new Map<string, string | number | boolean | string[]>()
  const positionals: string[] = []
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]!
    if (arg === '--') {
      positionals.push(...args.slice(index + 1))
      break
    }
    if (arg === '-' || !arg.startsWith('-')) {
      if (!interleaved) {
        positionals.push(...args.slice(index))
        break
      }
      positionals.push(arg)
      continue
    }
    const [name, attached] = split(arg)
    const flag = byName.get(name)
    // COMPAT(runc): Go's sentences, with one dash whatever was written.
    if (!flag) throw new UsageError(`flag provided but not defined: -${name}`)
    let text = attached
    if (flag.type !== 'switch' && text === undefined) {
      index += 1
      if (index >= args.length) throw new UsageError(`flag needs an argument: -${name}`)
      text = args[index]!
    }
    store(flags, flag, name, text)
  }
  return { flags, positionals }
}

function split(arg: string): [string, string | undefined] {
  const body = arg.replace(/^--?/, '')
  const at = body.indexOf('=')
  return at < 0 ? [body, undefined] : [body.slice(0, at), body.slice(at + 1)]
}

function store(
  flags: Map<string, string | number | boolean | string[]>,
  flag: Flag,
  name: string,
  text: string | undefined,
): void {
  if (flag.type === 'switch') {
    const on = text === undefined || /^(1|t|true)$/i.test(text)
    if (!on && !/^(0|f|false)$/i.test(text!)) {
      throw new UsageError(`invalid boolean value "${text}" for -${name}: parse error`)
    }
    flags.set(flag.name, on)
    if (!on) return
  } else if (flag.type === 'number') {
    if (!/^[+-]?\d+$/.test(text!))
      throw new UsageError(`invalid value "${text}" for flag -${name}: parse error`)
    flags.set(flag.name, Number(text))
  } else if (flag.type === 'list') {
    flags.set(flag.name, [...((flags.get(flag.name) as string[] | undefined) ?? []), text!])
  } else flags.set(flag.name, text!)
  if (flag.unsupported !== undefined) {
    throw new UsageError(`--${flag.name} is not supported: ${flag.unsupported}`, false)
  }
}
