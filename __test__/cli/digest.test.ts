/** `caisson digest` beside coreutils: the same lists, files and options, answer by answer. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { barLine } from '../../ts/cli/digest/progress-bar.ts'
import { needs } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { text } from '../fixtures/text.ts'
import { COMMAND } from './session.ts'

const folder = scratch('cli-digest')
const NAMES = [
  'a',
  'b c',
  'back\\slash',
  'new\nline',
  'carriage\rreturn',
  ' leading',
  'ünicode',
  "quote's",
  '-dash',
]
for (const name of NAMES) writeFileSync(join(folder, name), `content of ${name}`)
mkdirSync(join(folder, 'directory'))
writeFileSync(join(folder, 'empty'), '')

interface Answer {
  status: number | null
  stdout: string
  stderr: string
}

type Input = string | Uint8Array

async function answer(program: string, args: string[], input: Input = ''): Promise<Answer> {
  const child = spawn(program, args, { cwd: folder, env: { ...process.env, LC_ALL: 'C.UTF-8' } })
  child.stdin.on('error', () => {}) // it may end before it has read
  child.stdin.end(input)
  const outputs = Promise.all([text(child.stdout), text(child.stderr)])
  const [status] = (await once(child, 'close')) as [number | null]
  const [stdout, stderr] = await outputs
  return { status, stdout, stderr }
}

const ours = (args: string[], input?: Input): Promise<Answer> =>
  answer(process.execPath, [COMMAND, 'digest', ...args], input)

const theirs = async (tool: string, args: string[], input?: Input): Promise<Answer> => {
  const { status, stdout, stderr } = await answer(tool, args, input)
  return { status, stdout, stderr: stderr.replaceAll(/^\w+sum: /gm, 'caisson digest: ') }
}

const coreutils = (args: string[]): string =>
  spawnSync('sha256sum', args, { cwd: folder, encoding: 'latin1' }).stdout
const hash = coreutils(['a']).slice(0, 64)
const other = 'f'.repeat(64)
const files = ['--', ...NAMES]

// Lists, as Latin-1.
const lists: [what: string, list: string][] = [
  ['a list of every name', coreutils(files)],
  ['the same in binary mode', coreutils(['-b', ...files])],
  ['the same with --tag', coreutils(['--tag', ...files])],
  ['a file that differs', `${other}  a\n`],
  ['two that differ and one that does not', `${other}  a\n${other}  b c\n${hash}  a\n`],
  ['a missing file', `${hash}  none\n${hash}  a\n`],
  ['two missing files and nothing else', `${hash}  none\n${hash}  none2\n`],
  ['a missing file of a name to quote', `${hash}  no ne\n${hash}  it's\n`],
  ['a missing file of a name with a line end', `\\${hash}  no\\nne\n`],
  ['a directory', `${hash}  directory\n`],
  ['nothing', ''],
  ['comments and empty lines alone', '# one\n\n\r\n#two\n'],
  ['one improper line', `nonsense\n${hash}  a\n`],
  ['improper lines', `nonsense\n${hash}  a\n  \n${hash}\n${hash} \n${hash.slice(1)}  a\n`],
  ['no proper line', 'nonsense\n'],
  ['no line end at the end', `${hash}  a`],
  ['line ends of Windows', `${hash}  a\r\n`],
  ['capitals', `${hash.toUpperCase()}  a\n`],
  ['blanks in front', `  \t${hash}  a\n`],
  ['a tabulator', `${hash}\ta\n${hash}\t a\n`],
  ['one blank', `${hash} a\n${hash} b c\n`],
  ['one blank, then two', `${hash} a\n${hash}  a\n`],
  ['two blanks, then one', `${hash}  a\n${hash} a\n`],
  ['a name that begins with a blank', `${hash}   leading\n`],
  ['a blank as name', `${hash}   \n`],
  ['a good escape', `\\${hash}  back\\\\slash\n`],
  ['a bad escape', `\\${hash}  back\\slash\n${hash}  a\n`],
  ['an escape at the end', `\\${hash}  back\\\n${hash}  a\n`],
  ['a backslash that does not begin an escape', `${hash}  back\\slash\n`],
  ['tags with blanks left out and added', `SHA256(a)= ${hash}\nSHA256 (a) =  ${hash}\nSHA256 (a)=${hash}\n`],
  ['tags with brackets in the name', `SHA256 (a)b) = ${hash}\nSHA256 ((a) = ${hash}\n`],
  [
    'tags that lack something',
    `SHA256 (a) ${hash}\nSHA256 a) = ${hash}\nSHA256 (a) = ${hash}0\nSHA256 (a) = \n`,
  ],
  [
    'tags of another algorithm',
    `SHA512 (a) = ${hash}\nMD5 (a) = ${hash}\nsha256 (a) = ${hash}\n${hash}  a\n`,
  ],
  ['a name that is not UTF-8', `${hash}  \xff\xfe\n${hash}  a\n`],
]
const options = [
  [],
  ['--quiet'],
  ['--status'],
  ['--strict'],
  ['--warn'],
  ['--ignore-missing'],
  ['--status', '--strict', '--ignore-missing'],
  ['--quiet', '--warn', '--strict'],
]

for (const [index, [what, list]] of lists.entries()) {
  test(`check: ${what}`, async (t) => {
    const name = `list-${index}`
    const content = Buffer.from(list, 'latin1')
    writeFileSync(join(folder, name), content)
    for (const each of options) {
      const [we, they] = await Promise.all([
        ours(['check', '--algorithm', 'sha256', ...each, name]),
        theirs('sha256sum', ['--check', ...each, name]),
      ])
      // sha256sum shows bytes as they are, or as $'\377' where it quotes: a terminal could not.
      if (list.includes('\xff'))
        t.deepEqual([we.status, we.stdout.length > 0], [they.status, they.stdout.length > 0])
      else t.deepEqual(we, they, each.join(' '))
    }
    const [we, they] = await Promise.all([
      ours(['check', '-a', 'sha256', '-'], content),
      theirs('sha256sum', ['-c', '-'], content),
    ])
    if (!list.includes('\xff')) t.deepEqual(we, they, 'from standard input')
  })
}

test('check: lists that cannot be read, and several lists', async (t) => {
  writeFileSync(join(folder, 'good'), `${hash}  a\n`)
  writeFileSync(join(folder, 'bad'), `${other}  a\n`)
  for (const names of [
    ['missing'],
    ['directory'],
    ['good', 'missing', 'bad'],
    ['good', 'good'],
    ['empty', 'good'],
  ])
    t.deepEqual(
      await ours(['check', '-a', 'sha256', ...names]),
      await theirs('sha256sum', ['-c', ...names]),
      names.join(' '),
    )
})

test('the lines of --format sum and tag are those of coreutils', async (t) => {
  for (const [algorithm, tool] of [
    ['sha256', 'sha256sum'],
    ['sha384', 'sha384sum'],
    ['sha512', 'sha512sum'],
  ] as const) {
    const sum = await theirs(tool, files)
    t.is(sum.status, 0)
    t.deepEqual(await ours(['-a', algorithm, '-f', 'sum', ...files]), sum)
    t.deepEqual(
      await ours([`--algorithm=${algorithm}`, '--format=tag', ...files]),
      await theirs(tool, ['--tag', ...files]),
    )
  }
  for (const args of [['none', 'a', 'directory', 'no ne'], []])
    t.deepEqual(await ours(['-f', 'sum', ...args], 'input'), await theirs('sha256sum', args, 'input'))
})

test('a list of ours is checked by us, whatever its algorithms', async (t) => {
  const list = await ours(['-a', 'sha256,sha512', '-a', 'blake3', '-a', 'sha384', ...files])
  t.is(list.status, 0)
  const lines = list.stdout.trimEnd().split('\n')
  t.is(lines.length, NAMES.length * 4)
  t.regex(lines[0]!, /^sha256:[0-9a-f]{64} {2}a$/)
  t.regex(lines[1]!, /^sha512:[0-9a-f]{128} {2}a$/)
  t.regex(lines[2]!, /^blake3:[0-9a-f]{64} {2}a$/)
  const checked = await ours(['check', '--strict'], list.stdout)
  t.is(checked.status, 0, checked.stderr)
  t.is(checked.stdout.match(/: OK$/gm)?.length, lines.length)
  const damaged = list.stdout.replace(/^(sha512:)./m, '$10')
  const again = await ours(
    ['check', '--quiet'],
    damaged === list.stdout ? list.stdout.replace(/^(sha512:)./m, '$11') : damaged,
  )
  t.deepEqual(again, {
    status: 1,
    stdout: 'a: FAILED\n',
    stderr: 'caisson digest: WARNING: 1 computed checksum did NOT match\n',
  })
})

test('without --algorithm the length of a bare hash tells it', async (t) => {
  const sums = ['sha256sum', 'sha384sum', 'sha512sum'].map(
    (tool) => spawnSync(tool, ['a'], { cwd: folder, encoding: 'utf8' }).stdout,
  )
  t.deepEqual(await ours(['check'], sums.join('')), { status: 0, stdout: 'a: OK\n'.repeat(3), stderr: '' })
  const b3 = (await ours(['-a', 'blake3', '-f', 'sum', 'a'])).stdout
  t.is((await ours(['check', '-a', 'blake3'], b3)).status, 0)
  t.is((await ours(['check'], b3)).status, 1)
})

test('a digest in the form of the specification is as strict in a list', async (t) => {
  const said = await ours(
    ['check', '--warn'],
    `sha256:${hash.toUpperCase()}  a\nmd5:${hash}  a\nsha256:${hash} *a\n`,
  )
  t.deepEqual(said, {
    status: 0,
    stdout: 'a: OK\n',
    stderr: [
      "'standard input': 1: improperly formatted checksum line",
      "'standard input': 2: improperly formatted checksum line",
      'WARNING: 2 lines are improperly formatted\n',
    ]
      .map((line) => `caisson digest: ${line}`)
      .join('\n'),
  })
})

test('wrong calls', async (t) => {
  const calls: [args: string[], words: RegExp][] = [
    [['--quiet', 'a'], /the --quiet option is meaningful only when verifying checksums/],
    [['--algorithm', 'md5', 'a'], /unknown digest algorithm \\?"md5\\?"/],
    [['--format', 'xml', 'a'], /invalid format option/],
    [['check', '--format', 'sum', 'good'], /--format says how lines are written/],
    [['--nonsense'], /flag provided but not defined: -nonsense/],
  ]
  for (const [args, words] of calls) {
    const said = await ours(args)
    t.is(said.status, 1)
    t.regex(said.stderr, words)
  }
})

needs('python3')('a bar is drawn on a terminal, on stderr, and nowhere else', async (t) => {
  spawnSync('truncate', ['--size=600M', 'sparse'], { cwd: folder })
  const script = 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)'
  const command = [process.execPath, COMMAND, 'digest', '-a', 'sha512', 'sparse']
  const inTerminal = await answer('python3', ['-c', script, ...command])
  const piped = await answer(command[0]!, command.slice(1))
  spawnSync('rm', ['sparse'], { cwd: folder })
  t.is(inTerminal.status, 0)
  t.regex(inTerminal.stdout, /\[=*> *\] +\d+ % {2}\d+\.\d [MG]B\/s {2}sparse/)
  t.regex(inTerminal.stdout, /\[Ksha512:[0-9a-f]{128} {2}sparse\r\n$/)
  t.deepEqual([piped.status, piped.stderr], [0, ''])
  t.is(piped.stdout, /sha512:.*$/.exec(inTerminal.stdout.trimEnd())![0] + '\n')
})

test('the bar', (t) => {
  t.is(
    barLine([{ read: 50, total: 100, file: 'a' }], 0, 1000),
    '[===============>              ]  50 %  50 B/s  a',
  )
  t.is(barLine([{ read: 5e9, total: 5e9, file: 'a' }], 0, 2500), `[${'='.repeat(30)}] 100 %  2.0 GB/s  a`)
  t.is(barLine([{ read: 7, total: 5, file: 'grows' }], 0, 1000), `[${'='.repeat(30)}] 100 %  7 B/s  grows`)
  t.is(barLine([{ read: 1500, file: 'pipe\x1b[2J' }], 500, 1000), '2.0 kB  2.0 kB/s  pipe?[2J')
  t.regex(
    barLine(
      [
        { read: 1, total: 4, file: 'a' },
        { read: 1, total: 4, file: 'b' },
      ],
      0,
      1000,
    ),
    /25 % .* 2 files$/,
  )
})
