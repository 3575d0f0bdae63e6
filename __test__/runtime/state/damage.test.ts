/** A create whose environment breaks: a clear error, and nothing is left. */
import { join } from 'node:path'
import { CaissonError, Runtime } from '../../../ts/index.ts'
import { bundle } from '../../fixtures/bundle.ts'
import { children } from '../../fixtures/children.ts'
import { missing, needs, needsAlone } from '../../fixtures/needs.ts'
import { nextLine, program } from '../../fixtures/program.ts'
import { remains } from '../../fixtures/remains.ts'
import { scratch } from '../../fixtures/rootfs.ts'
import { until } from '../../fixtures/until.ts'

const privileged = needs('root')
const alone = needsAlone('root')
const root = join(scratch('state'), 'root')
let serial = 0
const newId = (): string => `damage-${process.pid}-${serial++}`

function kill(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // it has ended in this very moment
    }
  }
}

alone('a first process that is killed at any moment fails its create or its start', async (t) => {
  const runtime = new Runtime({ root, onWarning: () => {} })
  const path = bundle({ args: ['sleep', '60'] })
  const codes = new Map<string, number>()
  for (let round = 0; round < 80; round++) {
    const id = newId()
    const running = (async (): Promise<string> => {
      const container = await runtime.create(id, { bundle: path, stdio: 'ignore' })
      await container.start()
      const { signal } = await container.wait()
      await container.delete()
      return signal ?? 'none'
    })().catch(async (error: unknown) => {
      if (!(error instanceof CaissonError)) throw error
      await runtime
        .get(id)
        .then((container) => container.delete({ force: true }))
        .catch(() => {}) // a failed create has removed it
      return error.code
    })
    const over = { yes: false }
    void running.then(() => (over.yes = true))
    while (!over.yes && children().length < 2) await new Promise(setImmediate)
    // From the clone on, in steps of about a tenth of a millisecond.
    for (const end = performance.now() + (round % 40) * 0.1; performance.now() < end;) {
      await new Promise(setImmediate)
    }
    while (!over.yes) {
      const state = await runtime.get(id).catch(() => undefined)
      kill([...children('caisson-init'), ...(state && state.pid > 0 ? [state.pid] : [])])
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    const code = await running
    codes.set(code, (codes.get(code) ?? 0) + 1)
    const left = remains(root, id)
    t.deepEqual([left.processes, left.cgroups, left.directories], [[], [], []], `round ${round}: ${code}`)
  }
  for (const code of codes.keys()) {
    t.true(
      ['SIGKILL', 'ERR_INTERNAL', 'ERR_SYSCALL', 'ERR_INVALID_STATE', 'ERR_NOT_FOUND'].includes(code),
      code,
    )
  }
})

alone('a guard that is killed is replaced, and its containers run on', async (t) => {
  const runtime = new Runtime({ root })
  const options = { bundle: bundle({ args: ['sleep', '60'] }), stdio: 'ignore' } as const
  await using first = await runtime.create(newId(), options)
  await first.start()
  const guards = children('caisson-guard')
  t.is(guards.length, 1)
  kill(guards)
  await until(() => !children('caisson-guard').includes(guards[0]!), 'the guard is gone')
  await using second = await runtime.create(newId(), options)
  await second.start()
  t.is((await first.state()).status, 'running')
  t.is((await second.state()).status, 'running')
  t.is(children('caisson-guard').length, 1)
})

privileged(
  'after a change of ids the guard of before makes nothing more, and a new one what is allowed',
  async (t) => {
    const map = [{ containerID: 0, hostID: 12_345, size: 1 }]
    const ordinary = bundle({
      rootless: true,
      args: ['cat', '/proc/self/uid_map'],
      edit: (spec) => void Object.assign(spec.linux!, { uidMappings: map, gidMappings: map }),
    })
    const running = program(`
import { mkdtempSync, rmSync } from 'node:fs'
import { Runtime } from 'caisson'
const source = { bundle: ${JSON.stringify(bundle({ args: ['true'] }))} }
const runtime = new Runtime({ root: ${JSON.stringify(join(scratch('ids'), 'root'))} })
await runtime.run(source)
process.setgroups!([])
process.setegid!(12345)
process.seteuid!(12345)
const error = await runtime.run(source).catch((cause) => cause)
console.log(error.code, error.errno)
const own = mkdtempSync('/tmp/caisson-ids-')
const { stdout } = await new Runtime({ root: own + '/root' }).run({ bundle: ${JSON.stringify(ordinary)} })
console.log(stdout.trim().split(/\\s+/).join(' '))
rmSync(own, { recursive: true })
`)
    t.is(await nextLine(running), 'ERR_SYSCALL EACCES')
    t.is(await nextLine(running), '0 12345 1')
    await running.ended
  },
)

/** Runs a program with a file system of 256 KiB at a directory of its own. */
function onSmallDisk(source: (disk: string) => string): ReturnType<typeof program> {
  const disk = scratch('disk')
  const mount = `mount -t tmpfs -o size=256k,mode=0755 tmpfs ${disk} && exec "$@"`
  return program(source(disk), {
    under: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', mount, 'sh'],
  })
}

privileged('a full disk below the state root is reported, and nothing is left', async (t) => {
  const id = newId()
  const running = onSmallDisk(
    (disk) => `
import { appendFileSync, readdirSync } from 'node:fs'
import { Runtime } from 'caisson'
const runtime = new Runtime({ root: ${JSON.stringify(disk)} + '/root' })
await (await runtime.create('warm-' + process.pid, { bundle: ${JSON.stringify(bundle())} })).delete()
try {
  for (;;) appendFileSync(${JSON.stringify(disk)} + '/filler', 'x'.repeat(4096))
} catch {}
const error = await runtime.create(${JSON.stringify(id)}, { bundle: ${JSON.stringify(bundle())} }).catch((cause) => cause)
console.log(JSON.stringify([error.code, error.errno, readdirSync(runtime.root)]))
`,
  )
  t.is(await nextLine(running), '["ERR_SYSCALL","ENOSPC",[]]')
  await running.ended
  const left = remains(root, id)
  t.deepEqual([left.processes, left.cgroups], [[], []])
})

privileged('a full disk while an image is unpacked is reported, and nothing is left', async (t) => {
  const layout = join(scratch('layout'), 'images')
  const running = onSmallDisk(
    (disk) => `
import { readdirSync } from 'node:fs'
import { Image } from 'caisson'
const image = await Image.fromHost({ layout: ${JSON.stringify(layout)}, programs: ['sh'] })
const error = await image.unpack(${JSON.stringify(disk)} + '/bundle').catch((cause) => cause)
console.log(JSON.stringify([error.code, error.errno, readdirSync(${JSON.stringify(disk)})]))
`,
  )
  t.is(await nextLine(running), '["ERR_SYSCALL","ENOSPC",[]]')
  await running.ended
})

const rootless = needs('userns')

rootless('user namespaces that are switched off are told with the switch', async (t) => {
  const folder = scratch('denied')
  const path = bundle({ rootless: true })
  const switchOff = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
  const running = program(
    `
import { Runtime } from 'caisson'
const runtime = new Runtime({ root: ${JSON.stringify(join(folder, 'root'))} })
const error = await runtime.create('denied', { bundle: ${JSON.stringify(path)} }).catch((cause) => cause)
console.log(error.code)
console.log(error.hint)
`,
    { under: ['unshare', '--user', '--map-root-user', 'sh', '-c', switchOff, 'sh'] },
  )
  t.is(await nextLine(running), 'ERR_USERNS_DENIED')
  t.regex(await nextLine(running), /sysctl -w user\.max_user_namespaces=\d+/)
  await running.ended
})

const unprivileged = missing('root') ? rootless : privileged

unprivileged('limits without the right to make control groups are refused', async (t) => {
  const folder = scratch('cgroup')
  const path = bundle({
    rootless: true,
    edit: (spec) => void (spec.linux!.resources = { memory: { limit: 64 << 20 } }),
  })
  const ids = process.geteuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
  const running = program(
    `
import { mkdtempSync, rmSync } from 'node:fs'
import { Runtime } from 'caisson'
const own = mkdtempSync('/tmp/caisson-nocgroup-')
const runtime = new Runtime({ root: own + '/root' })
const error = await runtime.create('limited', { bundle: ${JSON.stringify(path)} }).catch((cause) => cause)
console.log(JSON.stringify([error.code, error.phase]))
console.log(error.hint ?? '')
rmSync(own, { recursive: true })
`,
    { ...ids, env: { HOME: folder } },
  )
  t.is(await nextLine(running), '["ERR_CGROUP_UNAVAILABLE","cgroup"]')
  t.not(await nextLine(running), '')
  await running.ended
})
