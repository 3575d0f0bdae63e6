/**
 * The same configuration through runc, crun and us; what a program sees inside must be the same. Where the peers
 * disagree, ours is one of the two; where we differ from both, the table says why, and the difference is checked too.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { defaultSpec } from '../../ts/image/default-spec.ts'
import { formatRuntimeSpec } from '../../ts/spec/index.ts'
import { missing, needs } from '../fixtures/needs.ts'
import { cgroupsNamed } from '../fixtures/traces.ts'
import { makeRootfs, scratch } from '../fixtures/rootfs.ts'
import { configurations, type Configuration } from './configurations/index.ts'
import { Holder } from './holder.ts'
import { normalForm } from './normal-form.ts'
import { PROBE, sections, type Sections } from './probe.ts'
import { caisson, peer, type Contender } from './runtimes.ts'

const folder = scratch('differential')
const prefix = `diff-${process.pid}-`
let serial = 0

let holder: Holder | undefined

test.before(async () => {
  if (!missing('root')) holder = await Holder.start()
})
test.after.always(() => holder?.end())
// What the peers leave of a container that they have refused.
test.after.always(() => cgroupsNamed(prefix).forEach(removeCgroup))

function removeCgroup(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroup(join(path, entry.name))
  rmdirSync(path)
}

function makeBundle(id: string, { edit, args, places = [] }: Configuration): string {
  const bundle = join(folder, id)
  mkdirSync(bundle)
  makeRootfs(join(bundle, 'rootfs'))
  // The version that the peers of every distribution know.
  const spec = { ...defaultSpec(), ociVersion: '1.0.2' }
  spec.process = { ...spec.process!, terminal: false, args: args ?? ['sh', '-c', PROBE] }
  edit(spec, { bundle, id, holder: holder! })
  if (args === undefined) (spec.process.env ??= []).push(`PLACES=${places.join(' ')}`)
  writeFileSync(join(bundle, 'config.json'), formatRuntimeSpec(spec))
  return bundle
}

interface Result {
  runtime: string
  end: string
  seen: Sections
}

async function resultOf(
  configuration: Configuration,
  runtime: string,
  contender: Contender,
): Promise<Result> {
  const id = `${prefix}${serial++}`
  const bundle = makeBundle(id, configuration)
  const { stdout, status, refused } = await contender(bundle, id)
  if (refused !== undefined) return { runtime, end: REFUSED + refused, seen: {} }
  const hooks = existsSync(join(bundle, 'hooks')) ? readFileSync(join(bundle, 'hooks'), 'utf8') : ''
  rmSync(bundle, { recursive: true })
  const seen =
    configuration.args === undefined
      ? normalForm(sections(stdout), { id, joined: holder!.links() })
      : { stdout: [stdout] }
  seen['hooks'] = hooks.split('\n')
  return { runtime, end: `status ${status}`, seen }
}

const REFUSED = 'refused: '
/** Messages and codes of refusals differ by runtime. */
const sameEnd = (one: Result, other: Result): boolean =>
  one.end === other.end || (one.end.startsWith(REFUSED) && other.end.startsWith(REFUSED))

const peers = (['runc', 'crun'] as const).filter((name) => {
  const reason = missing(name)
  if (reason) console.error(`not compared with ${name}: ${reason}`)
  return !reason
})

const differential = needs('root', 'cgroup', 'busybox', ...(peers.length === 0 ? (['runc'] as const) : []))

/** Differences that show in many configurations. */
const EVERYWHERE: Record<string, string> = {
  'mounts /sys/fs/cgroup':
    'ours is read-only as the options of the mount ask; theirs leave the tmpfs itself writable',
  'links /dev/core': 'crun makes it everywhere, runc only where the host has /proc/kcore',
  'dev /dev/core': 'the same',
}

interface Problem {
  /** The section, and the subject of its line. */
  what: string
  [runtime: string]: string | undefined
}

const shown = (results: Result[], value: (result: Result) => string): Record<string, string> =>
  Object.fromEntries(results.map((result) => [result.runtime, value(result)]))

/** Each of our lines has to be one of a peer's, and each line that the peers agree on has to be ours. */
function compare(name: string, ours: Result, theirs: Result[]): Problem[] {
  const of = ({ seen }: Result): string[] => seen[name] ?? []
  const alone = of(ours).filter((line) => !theirs.some((result) => of(result).includes(line)))
  const agreed = of(theirs[0]!).filter((line) => theirs.every((result) => of(result).includes(line)))
  const lacking = agreed.filter((line) => !of(ours).includes(line))
  const subject = (line: string): string => line.split(' ')[0]!
  return [...new Set([...alone, ...lacking].map(subject))].map((about) => ({
    what: `${name} ${about}`,
    ...shown([ours, ...theirs], (result) =>
      of(result)
        .filter((line) => subject(line) === about)
        .join('; '),
    ),
  }))
}

/** In a configuration that one peer refuses, the differences between the peers would be ours as well. */
const usual = new Map<string, Promise<Set<string>>>()
async function usualDifferences(peerName: 'runc' | 'crun'): Promise<Set<string>> {
  const [ours, theirs] = [
    await resultOf(configurations[0]!, 'caisson', caisson),
    await resultOf(configurations[0]!, peerName, peer(peerName)),
  ]
  return new Set(
    Object.keys(ours.seen).flatMap((name) => compare(name, ours, [theirs]).map(({ what }) => what)),
  )
}

async function problemsOf(ours: Result, all: Result[]): Promise<Problem[]> {
  const theirs = all.filter((result) => sameEnd(result, ours))
  if (theirs.length === 0) return [{ what: 'end', ...shown([ours, ...all], ({ end }) => end) }]
  const problems = Object.keys(ours.seen).flatMap((name) => compare(name, ours, theirs))
  if (theirs.length === all.length) return problems
  const only = theirs[0]!.runtime as 'runc' | 'crun'
  if (!usual.has(only)) usual.set(only, usualDifferences(only))
  const expected = await usual.get(only)!
  return problems.filter(({ what }) => !expected.has(what))
}

/** Few at a time: each is some processes and a root file system. */
const lanes = Array.from({ length: 4 }, () => Promise.resolve())
function inLane<T>(index: number, run: () => Promise<T>): Promise<T> {
  const done = lanes[index % lanes.length]!.then(run)
  lanes[index % lanes.length] = done.then(
    () => {},
    () => {},
  )
  return done
}

async function resultsOf(configuration: Configuration): Promise<[ours: Result, theirs: Result[]]> {
  const ours = await resultOf(configuration, 'caisson', caisson)
  const theirs: Result[] = []
  for (const name of peers) theirs.push(await resultOf(configuration, name, peer(name)))
  return [ours, theirs]
}

for (const [index, configuration] of configurations.entries()) {
  differential(configuration.name, async (t) => {
    const [ours, theirs] = await inLane(index, () => resultsOf(configuration))
    if (theirs.some((result) => !sameEnd(result, ours))) t.log(shown([ours, ...theirs], ({ end }) => end))
    const problems = await problemsOf(ours, theirs)
    const reasons = Object.keys(configuration.differs ?? {})
    const isExplained = ({ what }: Problem): boolean => reasons.includes(what) || what in EVERYWHERE
    t.deepEqual(
      problems.filter((problem) => !isExplained(problem)),
      [],
    )
    const unfounded = reasons.filter((reason) => !problems.some(({ what }) => what === reason))
    t.deepEqual(unfounded, [], 'every reason belongs to a difference')
    if (configuration.args === undefined && !ours.end.startsWith(REFUSED))
      t.true('end' in ours.seen, 'the probe ran to its end')
  })
}

test('there are at least 150 configurations, each with a name of its own', (t) => {
  t.true(new Set(configurations.map(({ name }) => name)).size === configurations.length)
  t.true(configurations.length >= 150)
})
