/** Help texts, in the layout of urfave/cli that users of runc know. */
import type { Command } from './command.ts'
import type { Flag } from './flags.ts'
import { SPEC_VERSION, VERSION } from './version.ts'

export function commandHelp(program: string, command: Command): string {
  const { name, usage, argsUsage, description, flags } = command
  const visible = flags.filter((flag) => !flag.hidden)
  const options = visible.length > 0 ? ' [command options]' : ''
  const sections = [
    `NAME:\n   ${program} ${name} - ${usage}\n`,
    `USAGE:\n   ${program} ${name}${options} ${argsUsage}\n`,
    `DESCRIPTION:\n   ${description.trim().replaceAll('\n', '\n   ')}\n`,
  ]
  if (visible.length > 0) sections.push(`OPTIONS:\n${flagLines(visible)}`)
  return `${sections.join('\n')}\n`
}

export function subcommandHelp(program: string, command: Command, subcommands: readonly Command[]): string {
  const width = Math.max(...subcommands.map(({ name }) => name.length))
  const lines = subcommands.map(({ name, usage }) => `   ${name.padEnd(width)}  ${usage}`)
  const { name, usage, description } = command
  return [
    `NAME:\n   ${program} ${name} - ${usage}\n`,
    `USAGE:\n   ${program} ${name} command [command options] [arguments...]\n`,
    `DESCRIPTION:\n   ${description.trim().replaceAll('\n', '\n   ')}\n`,
    `COMMANDS:\n${lines.join('\n')}\n`,
  ].join('\n')
}

export function globalHelp(program: string, commands: readonly Command[], flags: readonly Flag[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length))
  const lines = commands.map(({ name, usage }) => `   ${name.padEnd(width)}  ${usage}`)
  return [
    `NAME:\n   ${program} - Open Container Initiative runtime\n`,
    `USAGE:\n   ${program} [global options] command [command options] [arguments...]\n`,
    `VERSION:\n   ${VERSION}\nspec: ${SPEC_VERSION}\n`,
    `COMMANDS:\n${lines.join('\n')}\n`,
    `GLOBAL OPTIONS:\n${flagLines(flags.filter((flag) => !flag.hidden))}\n   --help, -h  show help\n   --version, -v  print the version\n`,
  ].join('\n')
}

function flagLines(flags: readonly Flag[]): string {
  const heads = flags.map(({ name, aliases = [], type }) => {
    const value = type === 'switch' ? '' : ' value'
    return [name, ...aliases].map((each) => (each.length === 1 ? '-' : '--') + each + value).join(', ')
  })
  const width = Math.max(...heads.map((head) => head.length))
  return flags
    .map((flag, index) => {
      const standard = flag.default === undefined ? '' : ` (default: ${JSON.stringify(flag.default)})`
      return `   ${heads[index]!.padEnd(width)}  ${flag.usage}${standard}`
    })
    .join('\n')
}
