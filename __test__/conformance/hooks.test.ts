/** config.md, "POSIX-platform Hooks". */
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { observedRuntime, output, requirements, uniqueId, type Requirement } from './requirements.ts'

const folder = scratch('hook-conformance')
const { runtime } = observedRuntime()
const POINTS = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const
type Point = (typeof POINTS)[number]

let serial = 0
/** Runs a hook at one point, and gives what it wrote. */
async function hooked(point: Point, script: string, more: object = {}): Promise<string> {
  const file = join(folder, `record-${serial++}`)
  writeFileSync(file, '', { mode: 0o666 })
  const inside = point === 'startContainer'
  const edit = (spec: RuntimeSpec): void => {
    if (inside) spec.mounts!.push({ destination: '/tmp', source: folder, options: ['bind'] })
    const target = inside ? `/tmp/${file.slice(folder.length + 1)}` : file
    const args = ['sh', '-c', `{ ${script}; } > '${target}' 2>&1`, 'zero', 'one']
    spec.hooks = { [point]: [{ path: '/bin/sh', args, ...more }] }
  }
  const container = await runtime.create(uniqueId(), { bundle: bundle({ edit }) })
  try {
    await output(container)
  } finally {
    await container.delete({ force: true })
  }
  return readFileSync(file, 'utf8').trim()
}

const STATUS: Record<Point, string> = {
  prestart: 'creating',
  createRuntime: 'creating',
  createContainer: 'creating',
  startContainer: 'created',
  poststart: 'running',
  poststop: 'stopped',
}

for (const point of POINTS) {
  test(`${point} hooks get the state of the container on stdin`, async (t) => {
    const state = JSON.parse(await hooked(point, 'cat')) as Record<string, unknown>
    t.is(state['status'], STATUS[point])
    t.is(typeof state['id'], 'string')
    t.is(typeof state['ociVersion'], 'string')
    t.is(typeof state['bundle'], 'string')
    if (point === 'startContainer') t.is(state['pid'], 1)
    else if (point !== 'poststop') t.true((state['pid'] as number) > 0)
  })

  test(`args and env of ${point} hooks are those of execve(2)`, async (t) => {
    const said = await hooked(point, 'echo "$0 $1"; echo "$MINE"', {
      env: ['MINE=its own', 'PATH=/bin:/usr/bin'],
    })
    t.is(said, 'zero one\nits own')
  })
}

const IN_CONTAINER: readonly Point[] = ['createContainer', 'startContainer']
for (const point of POINTS)
  test(`${point} hooks run in the ${IN_CONTAINER.includes(point) ? 'container' : 'runtime'}'s namespaces`, async (t) => {
    const said = await hooked(point, 'readlink /proc/self/ns/mnt; readlink /proc/self/ns/uts', {
      env: ['PATH=/bin:/usr/bin'],
    })
    const own = ['mnt', 'uts'].map((name) => readlinkSync(`/proc/self/ns/${name}`))
    const shown = said.split('\n')
    t.is(shown.length, 2)
    for (const [index, link] of shown.entries())
      t.is(link === own[index], !IN_CONTAINER.includes(point), `${link} ${own[index]}`)
  })

for (const point of POINTS)
  test(`the path of ${point} hooks is resolved in the ${point === 'startContainer' ? 'container' : 'runtime'}'s namespace`, async (t) => {
    // A program that only the host has, or only the container.
    const only = join(folder, `only-${point}`)
    const record = join(folder, `resolved-${point}`)
    writeFileSync(only, `#!/bin/sh\ncat > /dev/null\necho ran >> '${record}'\n`, { mode: 0o755 })
    const path = point === 'startContainer' ? '/bin/busybox' : only
    const args = point === 'startContainer' ? ['touch', '/tmp/resolved-startContainer'] : ['only']
    const edit = (spec: RuntimeSpec): void => {
      spec.mounts!.push({ destination: '/tmp', source: folder, options: ['bind'] })
      spec.hooks = { [point]: [{ path, args }] }
    }
    const container = await runtime.create(uniqueId(), { bundle: bundle({ edit }) })
    await output(container)
    await container.delete()
    t.true(existsSync(record))
  })

const hooks = (value: object): Requirement => ({
  edit: (spec) => void (spec.hooks = value),
  refused: 'ERR_INVALID_SPEC',
})
requirements({
  'a hook without a path is refused': hooks({ poststart: [{ args: ['x'] }] }),
  'a hook with a relative path is refused': hooks({ poststop: [{ path: 'bin/true' }] }),
  'a timeout of zero is refused': hooks({ prestart: [{ path: '/bin/true', timeout: 0 }] }),
  'a negative timeout is refused': hooks({ createRuntime: [{ path: '/bin/true', timeout: -1 }] }),
  'a hook that takes longer than its timeout fails': {
    edit: (spec) =>
      void (spec.hooks = { createRuntime: [{ path: '/bin/sleep', args: ['sleep', '600'], timeout: 1 }] }),
    refused: 'ERR_HOOK',
  },
})
