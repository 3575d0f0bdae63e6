/**
 * Two parsers read a config.json, here and in the native core: both accept the same documents and name the same paths.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { SpecError } from '../../ts/errors.ts'
import { addon } from '../../ts/native/addon.ts'
import { errorFrom } from '../../ts/native/failure.ts'
import { readObject } from '../../ts/spec/json/object.ts'
import { formatRuntimeSpec, safeParseRuntimeSpec } from '../../ts/spec/index.ts'
import fc from '../fixtures/property.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { runtimeBase, type Change } from './base.ts'
import { errors, notRunnable, strictErrors, warnings } from './runtime-cases.ts'

/** Properties that the native core does not interpret: only TypeScript checks them. */
const UNREAD = /^process\.(?:commandLine|user\.username)/

const bundle = scratch('agreement')
mkdirSync(join(bundle, 'rootfs'))

/** The paths of all problems; empty where the document is accepted. */
function native(text: string, isReduced = false): string[] {
  const plan = addon().planContainer({
    id: 'agreement',
    root: bundle,
    bundle,
    config: text,
    stdio: [-1, -1, -1],
    attached: false,
    pivot: true,
    newKeyring: true,
    preserveFds: 0,
    cgroupDisabled: true,
  })
  if (typeof plan === 'string') return []
  const error = errorFrom(plan)
  // A missing agent is not a fault of the document.
  if (error.path !== undefined && error.message.startsWith('linux.seccomp.listenerPath')) return []
  // An unsupported property hides the rest: it is removed and the rest is checked. A missing root is not a fault of the
  // document.
  if (error.code === 'ERR_UNSUPPORTED_SPEC') return isReduced ? [] : native(withoutUnread(text), true)
  if (error.code === 'ERR_INVALID_BUNDLE') return []
  // Limits are beyond this request, which has no cgroups; the rest of the document was checked before.
  if (error.code === 'ERR_CGROUP_UNAVAILABLE') return []
  if (error instanceof SpecError) return error.issues.map(({ path }) => path)
  throw error
}

function withoutUnread(text: string): string {
  const document = readObject(text, 'config.json') as any
  delete document.linux?.intelRdt
  return formatRuntimeSpec(document)
}

function ours(text: string): string[] {
  const result = safeParseRuntimeSpec(text, { runnable: true })
  return result.success ? [] : result.error.issues.map(({ path }) => path)
}

const isWithin = (inner: string, outer: string): boolean =>
  outer === '' || inner === outer || inner.startsWith(`${outer}.`) || inner.startsWith(`${outer}[`)

/** serde writes names of maps as they are, and a missing property as its object. */
const plain = (path: string): string => path.replace(/\["([^"]*)"\]/g, '.$1')

function agreement(text: string): string | undefined {
  const [here, there] = [ours(text), native(text)]
  if (there.length === 0) {
    const read = here.filter((path) => !UNREAD.test(path))
    return read.length === 0 ? undefined : `only here: ${read.join(', ')}`
  }
  if (here.length === 0) return `only there: ${there.join(', ')}`
  const one = here.some((path) =>
    there.some((other) => isWithin(plain(path), plain(other)) || isWithin(plain(other), plain(path))),
  )
  return one ? undefined : `here ${here.join(', ')}, there ${there.join(', ')}`
}

function changed(change: Change): string {
  const spec = runtimeBase()
  change(spec)
  return formatRuntimeSpec(spec)
}

test('the base is taken by both', (t) => {
  const text = changed(() => {})
  t.deepEqual([ours(text), native(text)], [[], []])
})

for (const [name, cases] of Object.entries({ errors, strictErrors, notRunnable, warnings })) {
  test(`every case of ${name}`, (t) => {
    const disagreements = cases.flatMap(([path, words, change]) => {
      const problem = agreement(changed(change))
      return problem === undefined ? [] : [`${path} (${words}): ${problem}`]
    })
    t.deepEqual(disagreements, [])
  })
}

/** Every property of a document, lists and their items included. */
function* properties(value: unknown, path: (string | number)[] = []): Generator<(string | number)[]> {
  if (path.length > 0) yield path
  if (typeof value !== 'object' || value === null) return
  const keys = Array.isArray(value) ? value.keys() : Object.keys(value)
  for (const key of keys) yield* properties((value as Record<string | number, unknown>)[key], [...path, key])
}

const REPLACEMENTS = [
  null,
  0,
  5,
  -1,
  -2,
  1.5,
  2 ** 32,
  2n ** 63n,
  'x',
  '',
  true,
  [],
  {},
  2n ** 64n,
  ['x'],
  'a b',
  [5],
  { x: 5 },
  { x: 'y' },
]

/** The base with every property of `linux.resources`. */
function baseWithResources(): any {
  const throttle = [{ major: 8, minor: 0, rate: 1000 }]
  const spec: any = runtimeBase()
  spec.linux.resources = {
    devices: [{ allow: true, type: 'c', major: 10, minor: 229, access: 'rw' }],
    memory: {
      limit: 1000,
      reservation: 500,
      swap: 3000,
      kernel: 0,
      kernelTCP: 0,
      swappiness: 10,
      disableOOMKiller: true,
      useHierarchy: true,
      checkBeforeUpdate: true,
    },
    cpu: {
      shares: 512,
      quota: 2000,
      burst: 100,
      period: 5000,
      realtimeRuntime: 10,
      realtimePeriod: 20,
      cpus: '0-1',
      mems: '0',
      idle: 0,
    },
    pids: { limit: 17 },
    blockIO: {
      weight: 100,
      leafWeight: 200,
      weightDevice: [{ major: 8, minor: 0, weight: 300, leafWeight: 400 }],
      throttleReadBpsDevice: throttle,
      throttleWriteBpsDevice: throttle,
      throttleReadIOPSDevice: throttle,
      throttleWriteIOPSDevice: throttle,
    },
    hugepageLimits: [{ pageSize: '2MB', limit: 4_194_304 }],
    network: { classID: 7, priorities: [{ name: 'eth0', priority: 5 }] },
    rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 4 } },
    unified: { 'memory.high': '900', 'cgroup.max.depth': '3' },
  }
  return spec
}

for (const [index, replacement] of [undefined, ...REPLACEMENTS].entries()) {
  const shown = replacement === undefined ? 'nothing' : formatRuntimeSpec(replacement as never)
  test(`${index} ${shown} in the place of every property`, (t) => {
    const disagreements: string[] = []
    for (const path of properties(baseWithResources())) {
      const text = changed((spec) => {
        spec.linux.resources = baseWithResources().linux.resources
        const parent = path.slice(0, -1).reduce((value, key) => value[key], spec)
        const last = path.at(-1)!
        if (replacement !== undefined) parent[last] = replacement
        else if (Array.isArray(parent)) parent.splice(Number(last), 1)
        else delete parent[last]
      })
      const problem = agreement(text)
      if (problem !== undefined) disagreements.push(`${path.join('.')}: ${problem}`)
    }
    t.deepEqual(disagreements, [])
  })
}

test('text that is JSON for one is JSON for the other', (t) => {
  const deep = (levels: number): string =>
    changed((spec) => (spec.x = 'DEEP')).replace('"DEEP"', '['.repeat(levels) + ']'.repeat(levels))
  const texts = [
    '',
    '{}',
    '[]',
    '"x"',
    '{"ociVersion":"1.0.0","ociVersion":"1.0.0"}',
    `\ufeff${changed(() => {})}`,
    `${changed(() => {})} x`,
    changed((spec) => (spec.x = 'S')).replace('"S"', '"\\ud800"'),
    changed((spec) => (spec.x = 'S')).replace('"S"', '{"a":1,"a":2}'),
    changed((spec) => (spec.linux.resources.memory.limit = 'S')).replace('"S"', '1.0'),
    changed((spec) => (spec.linux.resources.memory.limit = 'S')).replace('"S"', '1e9'),
    changed((spec) => (spec.linux.resources.memory.limit = 'S')).replace('"S"', '-0'),
    deep(126),
    deep(127),
  ]
  for (const text of texts) {
    t.is(
      ours(text).length > 0,
      native(text).length > 0,
      `${text.slice(0, 20)}…${text.slice(-60)}: ${ours(text).join()} | ${native(text).join()}`,
    )
  }
})

test('a number beyond every double is kept here and refused there', (t) => {
  const text = changed((spec) => (spec.x = 'S')).replace('"S"', '1e400')
  t.deepEqual([ours(text), native(text)], [[], ['']])
})

/** Changes at random places: a value of this list, of another place, or none. */
const edits = fc.array(
  fc.record({ at: fc.nat(), action: fc.constantFrom('replace', 'move', 'remove'), value: fc.nat() }),
  { minLength: 1, maxLength: 4 },
)

test('several changes at random', (t) => {
  fc.assert(
    fc.property(edits, (list) => {
      const spec = baseWithResources()
      for (const { at, action, value } of list) {
        const places = [...properties(spec)]
        const path = places[at % places.length]!
        const follow = (where: readonly (string | number)[]): any =>
          where.reduce((inner: any, key) => inner[key], spec)
        const [parent, last] = [follow(path.slice(0, -1)), path.at(-1)!]
        if (action === 'replace') parent[last] = REPLACEMENTS[value % REPLACEMENTS.length]
        else if (action === 'move') parent[last] = structuredClone(follow(places[value % places.length]!))
        else if (Array.isArray(parent)) parent.splice(Number(last), 1)
        else delete parent[last]
      }
      const problem = agreement(formatRuntimeSpec(spec))
      if (problem !== undefined) throw new Error(problem)
    }),
    { numRuns: 1000 },
  )
  t.pass()
})
