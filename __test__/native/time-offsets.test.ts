/** Offsets of a new time namespace: only its owner may write them, and only before it has a process. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Engine } from '../../ts/native/engine.ts'
import { missing, needs } from '../fixtures/needs.ts'
import { bundleIn, makeBundle, type Bundle } from './bundle.ts'
import { create, failureOf, requestFor, runToEnd } from './container.ts'
import { elsewhere } from './elsewhere.ts'

const engine = new Engine()
const DAYS = 100 * 86_400
const SCRIPT = 'cat /proc/uptime; grep . /proc/self/timens_offsets'

interface Case {
  name: string
  /** Mappings of a new user namespace. */
  user?: [containerID: number, hostID: number, size: number]
  /** Types that are joined from a container that has all of them. */
  joined?: string[]
  /** The offsets; both clocks if absent. */
  offsets?: Record<string, { secs?: number; nanosecs?: number }>
}

const BOTH = { monotonic: { secs: DAYS, nanosecs: 5 }, boottime: { secs: DAYS } }

const cases: Case[] = [
  { name: 'without a user namespace' },
  { name: 'one clock', offsets: { boottime: { secs: DAYS } } },
  { name: 'nanoseconds alone', offsets: { monotonic: { nanosecs: 7 }, boottime: { secs: DAYS } } },
  { name: 'a user namespace with the root of the host', user: [0, 0, 65_536] },
  { name: 'a user namespace without it', user: [0, 100_000, 65_536] },
  { name: 'beside a joined network and ipc namespace', joined: ['network', 'ipc'] },
  { name: 'in a joined pid namespace', joined: ['pid'] },
  { name: 'a new user namespace over joined ones', user: [0, 100_000, 65_536], joined: ['ipc', 'uts'] },
  { name: 'a joined user namespace', joined: ['user'] },
  { name: 'a whole pod', joined: ['network', 'ipc', 'uts', 'user'] },
]

const FILES: Record<string, string> = { network: 'net' }

function configure(made: Bundle, { user, joined = [], offsets = BOTH }: Case, pod?: number): void {
  const { config } = made
  Object.assign(config, {
    hostname: undefined,
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
  })
  // A procfs belongs to its pid namespace: bound where that one is not the container's own.
  if (joined.includes('pid')) {
    config['mounts'] = [{ destination: '/proc', source: '/proc', options: ['rbind'] }]
  }
  config.process['args'] = ['sh', '-c', SCRIPT]
  Object.assign(config.linux, { maskedPaths: [], readonlyPaths: [], timeOffsets: offsets })
  const namespaces = [...config.linux.namespaces, { type: 'time' }]
  if (user || joined.includes('user')) namespaces.push({ type: 'user' })
  config.linux.namespaces = namespaces.map(({ type }) =>
    joined.includes(type) ? { type, path: `/proc/${pod}/ns/${FILES[type] ?? type}` } : { type },
  )
  if (user) {
    const [containerID, hostID, size] = user
    const mapping = [{ containerID, hostID, size }]
    Object.assign(config.linux, { uidMappings: mapping, gidMappings: mapping })
    chownSync(join(made.rootfs, 'dev'), hostID, hostID)
  }
  made.save()
}

/** The uptime and the offsets that the program saw are those of the configuration. */
function problem(output: string, offsets: NonNullable<Case['offsets']>): string | undefined {
  const [uptime = '', ...lines] = output.trimEnd().split('\n')
  const seen = Object.fromEntries(
    lines.map((line) => line.trim().split(/\s+/)).map(([clock, ...rest]) => [clock, rest]),
  )
  for (const clock of ['monotonic', 'boottime']) {
    const { secs = 0, nanosecs = 0 } = offsets[clock] ?? {}
    if (seen[clock]?.join() !== `${secs},${nanosecs}`) return `${clock}: ${output}`
  }
  return Number(uptime.split(' ')[0]) >= DAYS ? undefined : output
}

for (const each of cases) {
  needs('root', 'busybox')(each.name, async (t) => {
    let pod: number | undefined
    if (each.joined) {
      const first = makeBundle(t, ['sleep', '1000'])
      if (each.joined.includes('user')) {
        first.config.linux.namespaces.push({ type: 'user' })
        const mapping = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
        Object.assign(first.config.linux, { uidMappings: mapping, gidMappings: mapping })
        first.save()
      }
      const request = requestFor(first, { stdio: [-1, -1, -1] })
      pod = (await create(t, engine, request)).pid
      await engine.start(request.root, request.id)
    }
    const made = makeBundle(t)
    configure(made, each, pod)
    if (each.joined?.includes('user')) chownSync(join(made.rootfs, 'dev'), 100_000, 100_000)
    const { exitCode, stdout, stderr } = await runToEnd(t, engine, requestFor(made))
    t.is(exitCode, 0, stderr)
    t.is(problem(stdout, each.offsets ?? BOTH), undefined)
  })
}

const range = /^caisson-test:(\d+):(\d+)/m.exec(readFileSync('/etc/subuid', 'utf8'))
const account = /^caisson-test:[^:]*:(\d+):(\d+)/m.exec(readFileSync('/etc/passwd', 'utf8'))
const ordinary = missing('root', 'userns', 'busybox')
  ? undefined
  : { uid: 12_345, gid: 12_345, range: undefined }
const ranged = ordinary && range && account && { uid: Number(account[1]), gid: Number(account[2]), range }

for (const [name, who] of Object.entries({ 'one id': ordinary, 'a range of ids': ranged })) {
  ;(who ? test : test.skip)(`an ordinary user with ${name}`, async (t) => {
    const { uid, gid } = who as { uid: number; gid: number }
    const folder = mkdtempSync(join(tmpdir(), 'caisson-time-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    chmodSync(folder, 0o755)
    const made = bundleIn(folder, [])
    mkdirSync(made.root)
    configure(made, { name })
    const map = (hostID: number) => [
      { containerID: 0, hostID, size: 1 },
      ...(who?.range ? [{ containerID: 1, hostID: Number(who.range[1]), size: 1000 }] : []),
    ]
    made.config.linux.namespaces.push({ type: 'user' })
    Object.assign(made.config.linux, { uidMappings: map(uid), gidMappings: map(gid) })
    made.save()
    for (const path of [folder, made.bundle, made.rootfs, made.root, join(made.rootfs, 'dev')]) {
      chownSync(path, uid, gid)
    }
    const request = requestFor(made, { stdio: [-1, 1, 2] })
    const { status, output, errors } = await elsewhere(
      `const request = ${JSON.stringify(request)}
       const { handle } = await engine.create(request)
       await engine.start(request.root, request.id)
       engine.hold(1)
       await engine.exited(handle)
       await engine.destroy({ root: request.root, id: request.id, force: false })
       engine.unhold(1)`,
      { uid, gid },
    ).end
    t.is(status, 0, errors)
    t.is(problem(output, BOTH), undefined)
  })
}

needs('root', 'busybox')('a clock that would be negative is an error of its property', async (t) => {
  const made = makeBundle(t)
  configure(made, { name: '', offsets: { boottime: { secs: -1_000_000_000 } } })
  const error = await failureOf(t, engine.create(requestFor(made)))
  t.regex(error.message, /^linux\.timeOffsets: write\(.*ERANGE/)
})
