import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { sameAsRunc, withUs } from './session.ts'

sameAsRunc('create, state, start, kill and delete', async (session) => {
  const { id } = session
  session.configure(['sleep', '1000'])
  await session.say(['create', id])
  await session.say(['state', id])
  await session.say(['list'])
  await session.say(['list', '-q'])
  await session.say(['list', '--quiet'])
  await session.say(['list', '-f', 'json'])
  await session.say(['list', '--format=json'])
  await session.say(['start', id])
  await session.say(['state', id])
  await session.say(['kill', id, 'KILL'])
  await session.until('stopped')
  await session.say(['state', id])
  await session.say(['list'])
  await session.say(['delete', id])
  await session.say(['list'])
  await session.say(['list', '-f', 'json'])
  await session.say(['state', id])
})

sameAsRunc('annotations are part of the state', async (session) => {
  session.configure(['sleep', '1000'], (spec) => (spec.annotations = { 'org.example/b': '2', 'a.b': 'x"y' }))
  await session.say(['create', session.id])
  await session.say(['state', session.id])
  await session.say(['list', '-f', 'json'])
})

sameAsRunc('a container that is only created is deleted without force', async (session) => {
  session.configure(['sleep', '1000'])
  await session.say(['create', session.id])
  await session.say(['delete', session.id])
  await session.say(['state', session.id])
})

sameAsRunc('operations in the wrong order are refused', async (session) => {
  const { id } = session
  session.configure(['sleep', '1000'])
  for (const verb of ['state', 'start', 'kill', 'delete']) await session.say([verb, id])
  await session.say(['delete', '--force', id])
  await session.say(['create', id])
  await session.say(['create', id])
  await session.say(['run', id])
  await session.say(['start', id])
  await session.say(['start', id])
  await session.say(['delete', id])
  await session.say(['kill', id, 'NOSUCHSIGNAL'])
  await session.say(['kill', id, '9'])
  await session.until('stopped')
  await session.say(['kill', id])
  await session.say(['kill', '--all', id])
  await session.say(['start', id])
  await session.say(['delete', id])
  await session.say(['delete', id])
})

sameAsRunc('ids', async (session) => {
  session.configure(['true'])
  for (const id of ['', '..', '.', 'a/b', '../x', 'a b', 'ä', 'a\nb', 'a:b'])
    for (const verb of ['create', 'state']) await session.say([verb, id])
})

sameAsRunc('signals by name and number', async (session) => {
  const script = 'trap : USR1; trap : HUP; trap "exit 7" TERM; while :; do sleep 0.05; done'
  session.configure(['sh', '-c', script])
  await session.say(['create', session.id])
  for (const signal of ['NOPE', '0x9', 'SIGNOPE']) await session.say(['kill', session.id, signal])
  await session.say(['kill', session.id, '0'])
  await session.say(['start', session.id])
  await session.untilHandled('sh', constants.signals.SIGTERM) // the trap that is set last
  for (const signal of ['usr1', 'SIGUSR1', '10', 'HUP', '0']) await session.say(['kill', session.id, signal])
  await session.say(['kill', session.id])
  await session.until('stopped')
})

sameAsRunc('force deletes a running container', async (session) => {
  session.configure(['sleep', '1000'])
  await session.say(['run', '--detach', session.id])
  await session.say(['delete', '-f', session.id])
  await session.say(['state', session.id])
  await session.say(['list'])
})

sameAsRunc('options after the id, one dash or two, a value after = or apart', async (session) => {
  session.configure(['sleep', '1000'])
  await session.say(['create', session.id, '--bundle', session.bundle], { cwd: '/' })
  await session.say(['delete', session.id, '-force=true'])
  await session.say(['create', '-bundle', session.bundle, session.id], { cwd: '/' })
  await session.say(['delete', '-f', session.id])
  await session.say(['create', '-b', session.bundle, '-pid-file=pid', session.id], { cwd: session.directory })
  await session.say(['delete', '--force', session.id])
})

sameAsRunc(
  'the pid file is the pid and nothing else, and a relative path is the caller’s',
  async (session, t) => {
    session.configure(['sleep', '1000'])
    await session.say(['create', '--bundle', session.bundle, '--pid-file', 'pid', session.id], {
      cwd: session.directory,
    })
    const { stdout } = await session.exactly(['--root', session.root, 'state', session.id])
    t.is(
      readFileSync(join(session.directory, 'pid'), 'utf8'),
      String((JSON.parse(stdout) as { pid: number }).pid),
    )
  },
)

withUs('a pid file that cannot be written is an error, and nothing is left', async (session, t) => {
  session.configure(['sleep', '1000'])
  const { status, stderr } = await session.say(['create', '--pid-file', '/no/such/directory/pid', session.id])
  t.is(status, 1)
  t.regex(stderr, /\/no\/such\/directory\/pid: no such file or directory/)
  const { stdout } = await session.exactly(['--root', session.root, 'list', '-q'])
  t.is(stdout, '')
})

withUs('a missing state root is an error only where it was given', async (session, t) => {
  const { status, stderr } = await session.say(['list'])
  t.is(status, 1)
  t.true(stderr.includes(`open ${session.root}: no such file or directory`), stderr)
  const unset = await session.exactly(['list', '--format', 'json'], {
    env: { XDG_RUNTIME_DIR: session.directory },
  })
  t.is(unset.status, 0)
  t.is(
    (await session.say(['state', session.id])).stderr.replace(/^.*msg=/, ''),
    '"container does not exist"\n',
  )
})
