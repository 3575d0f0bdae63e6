import { spawnSync } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import { commands } from '../../ts/cli/commands.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { COMMAND, sameAsRunc, withUs, type Said } from './session.ts'

/** Usage texts differ by command: the status and the error line are compared. */
const lastLine = ({ status, stderr }: Said): unknown => [
  status,
  stderr
    .trim()
    .split('\n')
    .at(-1)
    ?.replace(/^time="[^"]*" /, ''),
]

sameAsRunc('the number of arguments', async (session) => {
  for (const args of [
    ['create'],
    ['create', 'a', 'b'],
    ['run'],
    ['run', 'a', 'b'],
    ['start'],
    ['start', 'a', 'b'],
    ['state'],
    ['state', 'a', 'b'],
    ['kill'],
    ['kill', 'a', 'b', 'c'],
    ['delete'],
    ['delete', 'a', 'b'],
    ['list', 'a'],
    ['spec', 'a'],
  ])
    session.note([args, session.plain(JSON.stringify(lastLine(await session.exactly(args))))])
})

sameAsRunc('unknown flags and invalid values', async (session) => {
  for (const args of [
    ['create', '--nope', 'a'],
    ['create', '-x', 'a'],
    ['--nope', 'list'],
    ['list', '--format', 'xml'],
    ['list', '--format'],
    ['create', '--preserve-fds', 'many', 'a'],
    ['list', '--quiet=perhaps'],
    ['--log-format', 'xml', 'list'],
  ])
    session.note([args, session.plain(JSON.stringify(lastLine(await session.exactly(args))))])
})

sameAsRunc('an unknown verb', async (session) => {
  const { status, stderr } = await session.exactly(['nope'])
  session.note([status, session.plain(stderr)])
})

test('help begins with NAME: for the command and every verb, and is a success', (t) => {
  for (const args of [[], ['help'], ['-h'], ['--help']]) {
    const { status, stdout } = spawnSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8' })
    t.is(status, 0)
    t.true(stdout.startsWith('NAME:\n'), args.join(' '))
    for (const { name } of commands) t.true(stdout.includes(`   ${name}`), `${name} in the help`)
  }
  for (const { name, flags } of commands) {
    for (const args of [
      [name, '--help'],
      [name, '-h'],
      ['help', name],
    ]) {
      const { status, stdout } = spawnSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8' })
      t.is(status, 0, args.join(' '))
      t.true(stdout.startsWith(`NAME:\n   caisson ${name} - `), stdout)
      for (const flag of flags)
        t.is(stdout.includes(`--${flag.name}`), !flag.hidden, `${name} --${flag.name}`)
    }
  }
})

test('the version is three lines, under the name of the link', (t) => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  const folder = scratch('links')
  for (const name of ['runc', 'crun', 'caisson']) {
    symlinkSync(COMMAND, join(folder, name))
    for (const flag of ['--version', '-v']) {
      const { status, stdout } = spawnSync(process.execPath, [join(folder, name), flag], { encoding: 'utf8' })
      t.is(status, 0)
      t.is(stdout, `${name} version ${version}\ncommit: ${version}\nspec: 1.3.0\n`)
    }
  }
})

sameAsRunc('spec writes config.json once, in the bundle it is told', async (session) => {
  const other = join(session.directory, 'other')
  mkdirSync(other)
  await session.say(['spec', '--bundle', other])
  await session.say(['spec', '-b', other])
  await session.say(['spec', '-b', join(session.directory, 'missing')])
  session.note(existsSync(join(session.directory, 'missing')))
})

for (const flags of [[], ['--rootless']])
  sameAsRunc(['what spec writes:', ...flags].join(' '), async (session) => {
    await session.say(['spec', ...flags])
    const written = readFileSync(join(session.bundle, 'config.json'), 'utf8')
    const spec = JSON.parse(session.plain(written)) as RuntimeSpec
    // runc stopped writing ambient capabilities after 1.1, and asks for a cgroup namespace on version 2 alone.
    delete spec.process!.capabilities!.ambient
    spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'cgroup')
    session.note(spec)
    session.note(written.endsWith('\n'))
  })

withUs('errors are JSON in the log and text on stderr', async (session, t) => {
  session.configure(['true'])
  const log = join(session.directory, 'log')
  const { status, stderr } = await session.say(['--log', log, '--log-format', 'json', 'state', session.id])
  t.is(status, 1)
  t.is(stderr, 'container does not exist\n')
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  const { level, msg, time } = JSON.parse(lines.at(-1)!) as Record<string, string>
  t.deepEqual([level, msg], ['error', 'container does not exist'])
  t.regex(time!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
})

withUs('an impossible cgroup is reported once', async (session, t) => {
  session.configure(['true'], (spec) => (spec.linux!.cgroupsPath = '/'))
  const { status, stderr } = await session.say(['run', session.id])
  t.is(status, 1)
  t.is(stderr.split('linux.cgroupsPath: ').length, 2, stderr)
})

sameAsRunc('the log file is always created, and one that cannot be opened is an error', async (session) => {
  session.configure(['true'])
  const log = join(session.directory, 'log')
  await session.say(['--log', log, 'run', session.id])
  session.note(readFileSync(log, 'utf8'))
  session.note((statSync(log).mode & 0o777).toString(8))
  await session.say(['--log', join(session.directory, 'missing/log'), 'run', session.id])
  await session.say(['--log', session.directory, 'list', '--quiet'])
})

withUs('a log that is a FIFO stops no command', async (session, t) => {
  const log = join(session.directory, 'fifo')
  spawnSync('mkfifo', [log])
  const alone = await session.say(['--log', log, 'list', '--quiet'])
  t.is(alone.status, 1)
  t.regex(alone.stderr, /msg="open .*fifo: no such device or address"\n$/)
  const reader = openSync(log, constants.O_RDONLY | constants.O_NONBLOCK)
  const read = await session.say(['--log', log, '--log-format', 'json', 'state', session.id])
  t.is(read.stderr, 'container does not exist\n')
  const line = Buffer.alloc(4096)
  t.regex(
    line.toString('utf8', 0, readSync(reader, line)),
    /^\{"level":"error","msg":"container does not exist"/,
  )
  const filler = openSync(log, constants.O_WRONLY | constants.O_NONBLOCK)
  t.throws(
    () => {
      for (;;) writeSync(filler, 'x'.repeat(4096))
    },
    { code: 'EAGAIN' },
  )
  const full = await session.say(['--log', log, 'state', session.id])
  t.is(full.status, 1)
  t.regex(full.stderr, /level=error msg="container does not exist"\n\(cannot write to the log .*fifo: EAGAIN/)
  closeSync(filler)
  closeSync(reader)
})

withUs('a debug line for each step', async (session, t) => {
  session.configure(['sh', '-c', 'exit 3'])
  const log = join(session.directory, 'log')
  const global = ['--debug', '--log', log, '--log-format', 'json']
  const { stderr } = await session.say([...global, 'run', session.id])
  t.is(stderr, '')
  const steps = (): string[] =>
    readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { level: string; msg: string })
      .filter(({ level }) => level === 'debug')
      .map(({ msg }) => msg)
  for (const step of [
    /run: begins/,
    /configuration \/.*config.json/,
    /created, pid \d+/,
    /started/,
    /status 3/,
    /deleted/,
  ])
    t.true(
      steps().some((line) => step.test(line)),
      `${step}`,
    )
  await session.say([...global, 'create', session.id])
  await session.say([...global, 'start', session.id])
  t.true(steps().some((line) => /create: exit status 0/.test(line)))
})

sameAsRunc('where errors go', async (session) => {
  const log = join(session.directory, 'log')
  await session.say(['--log', log, 'state', session.id])
  session.note(session.plain(readFileSync(log, 'utf8')))
  await session.say(['--log', log, '--log-format', 'json', 'state', session.id])
  session.note(session.plain(readFileSync(log, 'utf8')))
})

withUs('what to do about a missing security module is one of two words', async (session, t) => {
  const { status, stderr } = await session.exactly(['--missing-security-module', 'ignore', 'list'])
  t.is(status, 1)
  t.regex(stderr, /invalid value for --missing-security-module: ignore; use error or warn/)
})
