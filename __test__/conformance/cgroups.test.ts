/** config-linux.md, "Cgroups Path" and "Control groups". */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import { needs, skipped } from '../fixtures/needs.ts'
import { linux, observedRuntime, root, uniqueId } from './requirements.ts'

const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers')
const MOUNT = '/sys/fs/cgroup'
/** A hierarchy that exists on every host that these tests run on. */
const HIERARCHY = isUnified ? MOUNT : `${MOUNT}/pids`
const TOP = `caisson-conformance-${process.pid}`
const { runtime } = observedRuntime()
const privileged = needs('root', 'cgroup')

test.after.always(() => {
  if (existsSync(join(HIERARCHY, TOP))) for (const name of hierarchies()) removeEmpty(join(name, TOP))
})
function hierarchies(): string[] {
  if (isUnified) return [MOUNT]
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  return mounts.filter((line) => / cgroup2? /.test(line)).map((line) => line.split(' ')[1]!)
}
function removeEmpty(path: string): void {
  try {
    rmdirSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

const at = (cgroupsPath: string) => (spec: RuntimeSpec) => linux({ cgroupsPath })(spec)
const source = (cgroupsPath: string) => ({ bundle: bundle({ args: ['sleep', '60'], edit: at(cgroupsPath) }) })
/** Where the first process is, in the hierarchy of the tests. */
function place(pid: number): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')
  const line = lines.find((each) => (isUnified ? each.startsWith('0:') : each.split(':')[1] === 'pids'))!
  return line.slice(line.indexOf('/'))
}

privileged('an absolute cgroupsPath is relative to the mount point of cgroups', async (t) => {
  await using container = await runtime.create(uniqueId(), source(`/${TOP}/absolute`))
  t.is(place(container.pid), `/${TOP}/absolute`)
})

privileged('the same cgroupsPath leads to the same place', async (t) => {
  const places = []
  for (const path of ['same', `/${TOP}/same`])
    for (let round = 0; round < 2; round++) {
      const container = await runtime.create(uniqueId(), source(path))
      places.push(place(container.pid))
      await container.delete({ force: true })
    }
  t.is(places[0], places[1])
  t.is(places[2], places[3])
})

privileged('a cgroup that exists is used and kept', async (t) => {
  const path = join(HIERARCHY, TOP, 'kept')
  mkdirSync(path, { recursive: true })
  const container = await runtime.create(uniqueId(), source(`/${TOP}/kept`))
  t.is(place(container.pid), `/${TOP}/kept`)
  await container.delete({ force: true })
  removeEmpty(path)
  t.false(existsSync(path))
})

privileged('a cgroup with processes is not fit for a new container', async (t) => {
  await using first = await runtime.create(uniqueId(), source(`/${TOP}/taken`))
  const id = uniqueId()
  await t.throwsAsync(runtime.create(id, source(`/${TOP}/taken`)), { message: /cgroup is not empty/ })
  t.is((await first.state()).status, 'created')
})

const frozen = isUnified ? 'cgroup.freeze' : 'freezer.state'
const freezer = isUnified ? MOUNT : `${MOUNT}/freezer`
;(existsSync(freezer) ? privileged : skipped('needs a freezer'))(
  'a frozen cgroup is not fit for a new container',
  async (t) => {
    const path = join(freezer, TOP, 'frozen')
    mkdirSync(path, { recursive: true })
    writeFileSync(join(path, frozen), isUnified ? '1' : 'FROZEN')
    try {
      await t.throwsAsync(runtime.create(uniqueId(), source(`/${TOP}/frozen`)), { message: /frozen/ })
    } finally {
      writeFileSync(join(path, frozen), isUnified ? '0' : 'THAWED')
      removeEmpty(path)
    }
  },
)

test('a cgroupsPath that leads upwards is refused', async (t) => {
  const id = uniqueId()
  for (const path of ['../up', `/${TOP}/../../up`])
    await t.throwsAsync(runtime.create(id, source(path)), { message: /must not contain/ })
  t.false(existsSync(join(root, id)))
})
