import { blake3, isAvailable, registerAlgorithm, type Digest } from '../../digest/index.ts'
import { on, text, type Command, type Invocation } from '../command.ts'
import { check } from '../digest/check.ts'
import { complainOf } from '../digest/complaint.ts'
import { hashed } from '../digest/hash.ts'
import { formatLine, LINE_FORMATS, type LineFormat } from '../digest/line.ts'
import { ProgressBar } from '../digest/progress-bar.ts'
import type { Flag } from '../flags.ts'
import { printNames } from '../output.ts'
import { UsageError } from '../usage-error.ts'

const checkFlags: readonly Flag[] = [
  { name: 'ignore-missing', type: 'switch', usage: 'check: do not fail for files that are missing' },
  { name: 'quiet', type: 'switch', usage: 'check: do not print OK for each verified file' },
  { name: 'status', type: 'switch', usage: 'check: print nothing; the exit status tells' },
  { name: 'strict', type: 'switch', usage: 'check: fail for improperly formatted lines' },
  { name: 'warn', aliases: ['w'], type: 'switch', usage: 'check: warn of each improperly formatted line' },
]

export const digest: Command = {
  name: 'digest',
  usage: 'compute and check digests of files',
  argsUsage: '[FILE...] | check [LIST...]',
  description: `Prints "DIGEST  FILE" for each FILE; without one, and for -, standard input is read.
check: reads such lines, and those of sha256sum, sha384sum and sha512sum with or without --tag, from each LIST, and says
for each file whether it is what the line says. Texts and exit status are sha256sum's: 0 if all is well, else 1.
A file named check is ./check.`,
  flags: [
    {
      name: 'algorithm',
      aliases: ['a'],
      type: 'list',
      usage: 'sha256, sha384, sha512 or blake3; several with commas or by repeating it',
    },
    {
      name: 'format',
      aliases: ['f'],
      type: 'text',
      usage: 'digest (sha256:…  FILE), sum (as sha256sum) or tag (as sha256sum --tag)',
      default: 'digest',
    },
    ...checkFlags,
  ],
  min: 0,
  max: Infinity,
  run: async (invocation) => {
    registerAlgorithm('blake3', blake3())
    const bar = new ProgressBar(process.stderr.isTTY)
    try {
      return (await (invocation.args[0] === 'check' ? checkLists : compute)(invocation, bar)) ? 0 : 1
    } finally {
      bar.clear()
    }
  },
}

function algorithmsOf({ flags }: Invocation): string[] {
  const given = (flags.get('algorithm') as string[] | undefined) ?? []
  const names = [...new Set(given.flatMap((each) => each.split(',')).map((name) => name.toLowerCase()))]
  const unknown = names.find((name) => !isAvailable(name))
  if (unknown !== undefined)
    throw new UsageError(`unknown digest algorithm ${JSON.stringify(unknown)}`, false)
  return names
}

async function compute(invocation: Invocation, bar: ProgressBar): Promise<boolean> {
  const { flags, args } = invocation
  const misplaced = checkFlags.find(({ name }) => flags.has(name))
  // COMPAT(sha256sum): its sentence.
  if (misplaced) {
    throw new UsageError(`the --${misplaced.name} option is meaningful only when verifying checksums`, false)
  }
  const format = (text(flags, 'format') ?? 'digest') as LineFormat
  if (!LINE_FORMATS.includes(format)) throw new UsageError('invalid format option', false)
  const asked = algorithmsOf(invocation)
  const algorithms = asked.length > 0 ? asked : ['sha256']
  let well = true
  const files = args.length > 0 ? args : ['-']
  for await (const result of hashed(files, (file) => ({ file, shown: file, algorithms }), bar)) {
    bar.clear()
    if ('digests' in result) {
      const lines = result.digests.map((each: Digest) => `${formatLine(each, result.item, format)}\n`)
      printNames(lines.join(''))
    } else {
      complainOf(result.item, result.error)
      well = false
    }
  }
  return well
}

async function checkLists(invocation: Invocation, bar: ProgressBar): Promise<boolean> {
  const { flags, args } = invocation
  if (flags.has('format')) throw new UsageError('--format says how lines are written, not read', false)
  const lists = args.length > 1 ? args.slice(1) : ['-']
  // COMPAT(sha256sum): the last of these three takes the others back.
  const loudness = [...flags.keys()].findLast((name) => /^(quiet|status|warn)$/.test(name) && on(flags, name))
  const options = {
    algorithms: algorithmsOf(invocation),
    quiet: loudness === 'quiet',
    status: loudness === 'status',
    warn: loudness === 'warn',
    strict: on(flags, 'strict'),
    ignoreMissing: on(flags, 'ignore-missing'),
  }
  return check(lists, options, bar)
}
