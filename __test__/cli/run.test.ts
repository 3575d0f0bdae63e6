import { openSync, closeSync, writeFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { join } from 'node:path'
import { text } from '../fixtures/text.ts'
import { COMMAND, sameAsRunc, withUs } from './session.ts'

const programs: Record<string, string[]> = {
  'exit 0': ['true'],
  'exit 42': ['sh', '-c', 'echo out; echo err >&2; exit 42'],
  'exit 255': ['sh', '-c', 'exit 255'],
  SIGKILL: ['sh', '-c', 'kill -KILL $$'],
  SIGTERM: ['sh', '-c', 'kill -TERM $$'],
  'stdin is handed on': ['cat'],
  'a missing program': ['no-such-program'],
  'a missing program by its path': ['/no/such/program'],
  'a file without the right': ['/etc/passwd'],
}
for (const [title, args] of Object.entries(programs))
  sameAsRunc(`run: ${title}`, async (session) => {
    session.configure(args)
    await session.say(['run', session.id], { input: 'from stdin\n' })
    await session.say(['list', '-q'])
  })

withUs('run --keep leaves the container stopped', async (session, t) => {
  session.configure(['sh', '-c', 'exit 3'])
  t.is((await session.say(['run', '--keep', session.id])).status, 3)
  t.regex((await session.say(['state', session.id])).stdout, /"status": "stopped"/)
  t.is((await session.say(['delete', session.id])).status, 0)
  t.is((await session.say(['list', '-q'])).stdout, '')
})

withUs('run: a directory is not a program', async (session, t) => {
  session.configure(['/tmp'])
  const { status, stderr } = await session.say(['run', session.id])
  t.is(status, 1)
  t.regex(stderr, /caisson run failed: unable to start container process: exec: \\"\/tmp\\": is a directory/)
})

sameAsRunc('run --detach returns at once, and the container goes on', async (session) => {
  session.configure(['sleep', '1000'])
  await session.say(['run', '-d', session.id])
  await session.say(['state', session.id])
})

const broken: Record<string, string | undefined> = {
  'no config.json': undefined,
  'config.json that is empty': '',
  'config.json that is not JSON': '{"ociVersion": "1.0.2",',
}
for (const [title, config] of Object.entries(broken))
  withUs(`run: ${title}`, async (session, t) => {
    if (config !== undefined) writeFileSync(join(session.bundle, 'config.json'), config)
    const { status, stdout, stderr } = await session.say(['run', session.id])
    t.is(status, 1)
    t.is(stdout, '')
    t.regex(stderr, /^time="[^"]+" level=error msg="[^\n]*config\.json[^\n]*"\n$/)
  })

sameAsRunc('run: a missing bundle', async (session) => {
  const { status } = await session.exactly(['run', '--bundle', '/no/such/bundle', session.id])
  session.note(status)
})

sameAsRunc('descriptors are handed on only when asked for', async (session) => {
  const more = [openSync('/dev/null', 'r'), openSync('/dev/zero', 'r')]
  session.configure(['sh', '-c', 'for fd in 3 4 5; do readlink /proc/self/fd/$fd || echo none; done'])
  await session.say(['run', session.id], { more })
  await session.say(['run', '--preserve-fds', '1', session.id], { more })
  await session.say(['run', '--preserve-fds=2', session.id], { more })
  for (const descriptor of more) closeSync(descriptor)
})

sameAsRunc('sockets of systemd are handed on', async (session) => {
  const more = [openSync('/dev/null', 'r'), openSync('/dev/zero', 'r')]
  const show =
    'echo $LISTEN_FDS $LISTEN_PID; for fd in 3 4 5; do readlink /proc/self/fd/$fd || echo none; done'
  session.configure(['sh', '-c', show])
  await session.say(['run', session.id], { more, listening: 1 })
  await session.say(['run', '--preserve-fds', '1', session.id], { more, listening: 1 })
  for (const descriptor of more) closeSync(descriptor)
})

withUs('more preserved descriptors than are open', async (session, t) => {
  session.configure(['true'])
  const { status, stderr } = await session.say(['run', '--preserve-fds', '9', session.id])
  t.is(status, 1)
  t.regex(stderr, /preserveFds: descriptor 3 \(of 9\) was not handed/)
})

withUs('signals to the command go to the program', async (session, t) => {
  session.configure(['sh', '-c', 'trap "echo got; exit 5" TERM; echo ready; while :; do sleep 0.05; done'])
  const args = [COMMAND, '--root', session.root, 'run', '--bundle', session.bundle, session.id]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const output = text(child.stdout)
  await session.until('running')
  await session.untilHandled('sh', constants.signals.SIGTERM)
  const timer = setInterval(() => child.kill('SIGTERM'), 10) // also while the container is removed
  const [status] = (await once(child, 'exit')) as [number]
  clearInterval(timer)
  t.is(status, 5)
  t.is(await output, 'ready\ngot\n')
})

sameAsRunc('another user opens the file that stdout is, in the foreground', async (session) => {
  const script = 'echo out > /dev/stdout; echo err > /dev/stderr; seq 1 20000; exit 4'
  session.configure(['sh', '-c', script], ({ process }) => {
    process!.user = { uid: 1000, gid: 1000 }
  })
  await session.say(['run', session.id])
})
