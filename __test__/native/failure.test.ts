import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { SpecError, type ErrorCode } from '../../ts/errors.ts'
import { Engine } from '../../ts/native/engine.ts'
import { readContainer, signalContainer } from '../../ts/native/state.ts'
import { makeBundle, type Bundle } from './bundle.ts'
import { create, failureOf, remains, requestFor } from './container.ts'

const engine = new Engine()

const broken: [string, ErrorCode, RegExp, (made: Bundle) => void][] = [
  [
    'a missing bundle',
    'ERR_INVALID_BUNDLE',
    /bundle .* cannot be opened/,
    (made) => rmSync(made.bundle, { recursive: true }),
  ],
  [
    'a bundle without config.json',
    'ERR_INVALID_BUNDLE',
    /^JSON specification file .*config\.json not found$/,
    (made) => rmSync(join(made.bundle, 'config.json')),
  ],
  [
    'a missing root file system',
    'ERR_INVALID_BUNDLE',
    /rootfs cannot be opened/,
    (made) => rmSync(made.rootfs, { recursive: true }),
  ],
  [
    'a root file system that is a file',
    'ERR_INVALID_BUNDLE',
    /rootfs is not a directory/,
    (made) => {
      rmSync(made.rootfs, { recursive: true })
      writeFileSync(made.rootfs, '')
    },
  ],
  [
    'a root file system that is a symbolic link',
    'ERR_INVALID_BUNDLE',
    /rootfs is a symbolic link/,
    (made) => {
      renameSync(made.rootfs, `${made.rootfs}-real`)
      symlinkSync('rootfs-real', made.rootfs)
    },
  ],
  [
    'text that is not JSON',
    'ERR_INVALID_SPEC',
    /config\.json/,
    (made) => writeFileSync(join(made.bundle, 'config.json'), '{"ociVersion": '),
  ],
]

for (const [what, code, message, spoil] of broken) {
  test(`${what} is refused and leaves nothing`, async (t) => {
    const made = makeBundle(t)
    spoil(made)
    const request = requestFor(made)
    const error = await failureOf(t, engine.create(request))
    t.is(error.code, code)
    t.regex(error.message, message)
    t.is(error.phase, 'validate')
    t.is(error.containerId, request.id)
    t.deepEqual(remains(made.root, request.id), [])
  })
}

test('every problem of a document is reported at its path', async (t) => {
  const made = makeBundle(t)
  made.config.process['cwd'] = 'relative'
  made.config.process['rlimits'] = [{ type: 'RLIMIT_NONSENSE', soft: 1, hard: 1 }]
  made.save()
  const error = await failureOf(t, engine.create(requestFor(made)))
  t.true(error instanceof SpecError)
  const paths = (error as SpecError).issues.map((issue) => issue.path)
  t.true(paths.includes('process.cwd'), paths.join())
  t.true(
    paths.some((path) => path.startsWith('process.rlimits[0]')),
    paths.join(),
  )
})

test('an id that would leave the state root is refused everywhere', async (t) => {
  const made = makeBundle(t)
  mkdirSync(made.root)
  const canary = join(made.root, '..', 'canary')
  mkdirSync(canary)
  for (const id of ['', '.', '..', '../canary', 'a/b', 'a\0b', 'ä']) {
    const request = requestFor(made, { id })
    t.is((await failureOf(t, engine.create(request))).code, 'ERR_INVALID_ID', id)
    t.is((await failureOf(t, engine.start(made.root, id))).code, 'ERR_INVALID_ID', id)
    t.is(
      (await failureOf(t, engine.destroy({ root: made.root, id, force: true }))).code,
      'ERR_INVALID_ID',
      id,
    )
    t.is((await failureOf(t, readContainer(made.root, id))).code, 'ERR_INVALID_ID')
    t.is((await failureOf(t, signalContainer(made.root, id, 9, true))).code, 'ERR_INVALID_ID')
  }
  t.deepEqual(readdirSync(canary), [])
})

test('a taken id is refused, and the container that has it is not touched', async (t) => {
  const made = makeBundle(t)
  const request = requestFor(made)
  await create(t, engine, request)
  const error = await failureOf(t, engine.create(request))
  t.is(error.code, 'ERR_EXISTS')
  t.is((await readContainer(made.root, request.id)).status, 'created')
})

test('a missing program is reported by create or start, with its name', async (t) => {
  const made = makeBundle(t, ['/bin/nosuch'])
  const request = requestFor(made)
  const error = await failureOf(
    t,
    create(t, engine, request).then(() => engine.start(made.root, request.id)),
  )
  t.is(error.code, 'ERR_EXEC_NOT_FOUND')
  t.regex(error.message, /\/bin\/nosuch/)
  await engine.destroy({ root: made.root, id: request.id, force: true }).catch(() => undefined)
  t.deepEqual(remains(made.root, request.id), [])
})

test('a mount that fails names itself and leaves nothing', async (t) => {
  const made = makeBundle(t)
  const mounts = made.config['mounts'] as unknown[]
  mounts.push({ destination: '/x', type: 'bind', source: '/nonexistent-source', options: ['bind'] })
  made.save()
  const request = requestFor(made)
  const error = await failureOf(t, engine.create(request))
  t.is(error.code, 'ERR_SYSCALL')
  t.is(error.errno, 'ENOENT')
  t.regex(error.message, /mount "\/x"/)
  t.deepEqual(remains(made.root, request.id), [])
})

test('a descriptor that is not open is refused', async (t) => {
  const made = makeBundle(t)
  const request = requestFor(made, { stdio: [-1, 987_654, -1] })
  const error = await failureOf(t, engine.create(request))
  t.is(error.errno, 'EBADF')
  t.deepEqual(remains(made.root, request.id), [])
})

test('a missing container is reported by every operation', async (t) => {
  const { root } = makeBundle(t)
  const id = 'nosuch'
  for (const work of [
    engine.start(root, id),
    engine.destroy({ root, id, force: true }),
    engine.watch(root, id),
  ]) {
    const error = await failureOf(t, work)
    t.is(error.code, 'ERR_NOT_FOUND')
    t.is(error.message, 'container does not exist: nosuch')
  }
})
