#!/usr/bin/env node
/** The command line: global flags, then a verb. */
import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { CaissonError, Runtime } from '../index.ts'
import type { Command, Context } from './command.ts'
import { commands } from './commands.ts'
import { errorText } from './error-text.ts'
import { parseFlags, type FlagValues } from './flags.ts'
import { globalFlags } from './global-flags.ts'
import { commandHelp, globalHelp, subcommandHelp } from './help.ts'
import { outliveTerminal } from './hang-up.ts'
import { Log } from './log.ts'
import { print } from './output.ts'
import { UsageError } from './usage-error.ts'
import { SPEC_VERSION, VERSION } from './version.ts'

/** Engines look at the first word of `--version`: a link named as a runtime answers to that name. */
function programName(): string {
  const name = basename(process.argv[1] ?? '')
  return name === 'runc' || name === 'crun' ? name : 'caisson'
}

/** Node reads arguments as UTF-8; of other bytes not enough is left to find, or to make, the right file. */
function refuseOtherBytes(args: readonly string[]): void {
  if (!args.some((arg) => arg.includes('\uFFFD')) || isUtf8(readFileSync('/proc/self/cmdline'))) return
  throw new UsageError(
    'an argument is not UTF-8: reach what it names through a link with another name',
    false,
  )
}

/** Runs the command line; the answer is the exit status. */
async function main(args: readonly string[]): Promise<number> {
  const program = programName()
  const fallback = new Log({ file: undefined, format: 'text', debug: false })
  let parsed
  try {
    refuseOtherBytes(args)
    parsed = parseFlags(args, globalFlags, false)
  } catch (error) {
    const { message } = error as Error
    if (error instanceof UsageError && error.showUsage) {
      print(`Incorrect Usage. ${message}\n\n${globalHelp(program, commands, globalFlags)}`)
    }
    fallback.error(message)
    return 1
  }
  const { flags, positionals } = parsed
  const [verb, ...rest] = positionals
  if (flags.get('version') === true) {
    print(`${program} version ${VERSION}\ncommit: ${VERSION}\nspec: ${SPEC_VERSION}\n`)
    return 0
  }
  if (flags.get('help') === true || verb === undefined || verb === 'help' || verb === 'h') {
    const command =
      verb === 'help' || verb === 'h' ? commands.find(({ name }) => name === rest[0]) : undefined
    if (command?.subcommands) print(subcommandHelp(program, command, command.subcommands))
    else print(command ? commandHelp(program, command) : globalHelp(program, commands, globalFlags))
    return 0
  }
  const command = commands.find(({ name }) => name === verb)
  if (!command) {
    fallback.error(`No help topic for '${verb}'\n`) // COMPAT(runc): sentence and status
    return 3
  }
  return runCommand(program, command, flags, rest)
}

async function runCommand(
  program: string,
  command: Command,
  globals: FlagValues,
  args: readonly string[],
): Promise<number> {
  let log = new Log({ file: undefined, format: 'text', debug: false })
  try {
    const format = globals.get('log-format') ?? 'text'
    if (format !== 'text' && format !== 'json')
      throw new UsageError(`invalid log-format: ${String(format)}`, false)
    log = new Log({ file: logFile(globals), format, debug: globals.get('debug') === true })
    if (command.subcommands) return await runSubcommand(program, command, command.subcommands, globals, args)
    const { flags, positionals } = parseFlags(args, command.flags)
    if (flags.get('help') === true) {
      print(commandHelp(program, command))
      return 0
    }
    checkCount(program, command, positionals.length)
    const context = contextOf(program, globals, log)
    log.debug(`${program} ${command.name}: begins, state root ${context.runtime.root}`)
    const status = await command.run({ context, flags, args: positionals })
    log.debug(`${program} ${command.name}: exit status ${status}`)
    return status
  } catch (error) {
    if (error instanceof UsageError && error.showUsage) {
      print(
        `Incorrect Usage${error.message.startsWith(program) ? '.' : `: ${error.message}`}\n\n${commandHelp(program, command)}`,
      )
    }
    const prefix =
      command.failurePrefix && error instanceof CaissonError ? `${program} ${command.name} failed: ` : ''
    log.error(prefix + errorText(error))
    return 1
  }
}

async function runSubcommand(
  program: string,
  command: Command,
  subcommands: readonly Command[],
  globals: FlagValues,
  args: readonly string[],
): Promise<number> {
  const [verb = 'help', ...rest] = args
  if (['help', 'h', '--help', '-help', '-h'].includes(verb)) {
    const wanted = subcommands.find(({ name }) => name === rest[0])
    print(
      wanted
        ? commandHelp(`${program} ${command.name}`, wanted)
        : subcommandHelp(program, command, subcommands),
    )
    return 0
  }
  const subcommand = subcommands.find(({ name, aliases = [] }) => name === verb || aliases.includes(verb))
  if (subcommand) return runCommand(`${program} ${command.name}`, subcommand, globals, rest)
  throw new UsageError(
    `unknown subcommand ${JSON.stringify(verb)} of ${command.name} (see ${program} ${command.name} --help)`,
    false,
  )
}

function logFile(globals: FlagValues): string | undefined {
  const file = globals.get('log')
  return typeof file === 'string' && file !== '' && file !== '/dev/stderr' ? file : undefined
}

/** COMPAT(runc): its sentences. */
function checkCount(program: string, { name, min, max }: Command, count: number): void {
  if (count >= min && count <= max) return
  const wanted = min === max ? `exactly ${min}` : count < min ? `a minimum of ${min}` : `a maximum of ${max}`
  throw new UsageError(`${program}: "${name}" requires ${wanted} argument(s)`)
}

function contextOf(program: string, globals: FlagValues, log: Log): Context {
  const root = globals.get('root')
  const manager = globals.get('cgroup-manager') ?? 'cgroupfs'
  if (manager === 'systemd' || globals.get('systemd-cgroup') === true) {
    throw new UsageError(
      'the systemd cgroup manager is not supported yet; use --cgroup-manager=cgroupfs',
      false,
    )
  }
  if (manager !== 'cgroupfs' && manager !== 'disabled') {
    throw new UsageError(`unknown cgroup manager ${String(manager)}`, false)
  }
  const rootless = globals.get('rootless') ?? 'auto'
  const meaning: Record<string, boolean | undefined> = { true: true, false: false, auto: undefined }
  if (!(String(rootless) in meaning)) {
    throw new UsageError(`invalid value for --rootless: ${String(rootless)}; use true, false or auto`, false)
  }
  const missing = globals.get('missing-security-module') ?? 'error'
  if (missing !== 'error' && missing !== 'warn') {
    throw new UsageError(
      `invalid value for --missing-security-module: ${String(missing)}; use error or warn`,
      false,
    )
  }
  const runtime = new Runtime({
    root: typeof root === 'string' ? root : undefined,
    cgroupManager: manager,
    rootless: meaning[String(rootless)],
    missingSecurityModule: missing,
    onWarning: (message) => log.warning(message),
  })
  return { program, runtime, log, explicitRoot: root !== undefined }
}

outliveTerminal()
void main(process.argv.slice(2)).then((status) => process.exit(status))
