import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Engine } from '../../ts/native/engine.ts'
import { needs } from '../fixtures/needs.ts'
import { makeBundle, type Bundle, type Json } from './bundle.ts'
import { create, exitOf, failureOf, remains, requestFor, textOf } from './container.ts'
import { elsewhere } from './elsewhere.ts'

const engine = new Engine()

/** A bundle that shares the caller's mount namespace. */
function shared(t: Parameters<typeof makeBundle>[0], script: string, mounts: Json[]): Bundle {
  const made = makeBundle(t, ['sh', '-c', script])
  const { config } = made
  config['mounts'] = mounts
  Object.assign(config.linux, { maskedPaths: [], readonlyPaths: [] })
  config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'mount')
  made.save()
  return made
}

const proc = { destination: '/proc', type: 'proc', source: 'proc' }
const tmpfs = { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] }
const pts = { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance'] }

/** Mount points of this process below a directory. */
const below = (directory: string): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${directory}/`))

needs('root', 'busybox')(
  "mounts are made in the caller's namespace, and end with the container",
  async (t) => {
    const made = shared(t, 'ls -l /proc/self/ns/mnt; ls / /dev', [proc, tmpfs, pts])
    const request = requestFor(made)
    const created = await create(t, engine, request)
    const output = Promise.all([textOf(created.stdout), textOf(created.stderr)])
    t.deepEqual(
      below(made.rootfs),
      ['proc', 'dev', 'dev/pts'].map((name) => join(made.rootfs, name)),
    )
    t.regex(created.warnings.join('\n'), /only chroot\(2\) confines the container/)
    await engine.start(request.root, request.id)
    t.is((await exitOf(engine, created.handle)).exitCode, 0)
    const [stdout] = await output
    t.true(stdout.includes(readlinkSync('/proc/self/ns/mnt')), stdout)
    t.regex(stdout, /bin\n[^]*\nnull\n/)
    await engine.destroy({ root: request.root, id: request.id, force: false })
    t.deepEqual(below(made.rootfs), [])
    t.deepEqual(remains(made.root, request.id), [])
  },
)

needs('root', 'busybox')('a create that fails leaves no mount', async (t) => {
  const missing = { destination: '/data', source: '/no/such/source', options: ['bind'] }
  const made = shared(t, 'true', [proc, tmpfs, missing])
  const request = requestFor(made)
  t.regex((await failureOf(t, engine.create(request))).message, /^mount "\/data": /)
  t.deepEqual(below(made.rootfs), [])
  t.deepEqual(remains(made.root, request.id), [])
})

needs('root', 'busybox')('the mounts of a container whose owner is killed are removed', async (t) => {
  const made = shared(t, 'sleep 1000', [proc, tmpfs])
  const request = requestFor(made, { attached: true, stdio: [-1, -1, -1] })
  const owner = elsewhere(
    `const request = ${JSON.stringify(request)}
     await engine.create(request)
     await engine.start(request.root, request.id)
     engine.hold(1)
     console.log('running')`,
  )
  t.is(await owner.line, 'running')
  t.is(below(made.rootfs).length, 2)
  owner.child.kill('SIGKILL')
  await owner.end
  while (existsSync(join(made.root, request.id))) await new Promise((resolve) => setTimeout(resolve, 10))
  t.deepEqual(below(made.rootfs), [])
})

/** The administrator's file system in the bundle, in this process's mount namespace. */
function volume(t: Parameters<typeof makeBundle>[0], point: string): void {
  mkdirSync(point, { recursive: true })
  t.is(spawnSync('mount', ['-t', 'tmpfs', 'volume', point]).status, 0)
  t.teardown(() => void spawnSync('umount', ['--lazy', point]))
}

needs('root', 'busybox')("what is the administrator's stays mounted", async (t) => {
  const missing = { destination: '/data', source: '/no/such/source', options: ['bind'] }
  const later = { destination: '/volume', type: 'tmpfs', source: 'tmpfs' }
  const failing = shared(t, 'true', [missing, later])
  volume(t, join(failing.rootfs, 'volume'))
  await failureOf(t, engine.create(requestFor(failing)))
  t.deepEqual(below(failing.rootfs), [join(failing.rootfs, 'volume')])

  const made = shared(t, 'true', [{ destination: '/first', type: 'tmpfs', source: 'tmpfs' }])
  const request = requestFor(made)
  await create(t, engine, request)
  volume(t, join(made.rootfs, 'second'))
  await engine.destroy({ root: request.root, id: request.id, force: true })
  t.deepEqual(below(made.rootfs), [join(made.rootfs, 'second')])
})

needs('root', 'busybox')('a mount that the program has moved is detached, and no other one', async (t) => {
  const script = 'mv /data /moved; ln -s / /data; echo done; read end'
  const made = shared(t, script, [{ destination: '/data/inner', type: 'tmpfs', source: 'tmpfs' }])
  volume(t, join(made.rootfs, 'inner'))
  const request = requestFor(made)
  const created = await create(t, engine, request)
  const output = textOf(created.stdout)
  await engine.start(request.root, request.id)
  await exitOf(engine, created.handle)
  t.is(await output, 'done\n')
  await engine.destroy({ root: request.root, id: request.id, force: false })
  t.deepEqual(below(made.rootfs), [join(made.rootfs, 'inner')])
})

needs('root', 'busybox')('links of the image lead neither mounts nor their removal outside', async (t) => {
  const made = shared(t, 'true', [{ ...tmpfs, destination: '/evil/inner' }])
  const outside = join(made.bundle, 'outside')
  mkdirSync(join(outside, 'inner'), { recursive: true })
  symlinkSync(outside, join(made.rootfs, 'evil'))
  const request = requestFor(made)
  await create(t, engine, request)
  t.deepEqual(below(outside), [])
  await engine.destroy({ root: request.root, id: request.id, force: true })
  t.deepEqual(below(made.bundle), [])
  t.deepEqual(readdirSync(join(outside, 'inner')), [])
})

test("what would change the host's mounts is refused", async (t) => {
  const refused = async (change: (made: Bundle) => void, message: RegExp): Promise<void> => {
    const made = shared(t, 'true', [])
    change(made)
    made.save()
    const error = await failureOf(t, engine.create(requestFor(made)))
    t.is(error.code, 'ERR_INVALID_SPEC')
    t.regex(error.message, message)
  }
  await refused(({ config }) => (config.root['readonly'] = true), /root\.readonly: needs a "mount" namespace/)
  await refused(({ config }) => (config.linux['maskedPaths'] = ['/x']), /unable to restrict sys entries/)
  await refused(({ config }) => (config.linux['rootfsPropagation'] = 'slave'), /rootfsPropagation: needs/)
  await refused(({ config }) => {
    config['mounts'] = [proc]
    config.linux.namespaces.push({ type: 'user' })
  }, /mounts: needs a "mount" namespace/)
})
