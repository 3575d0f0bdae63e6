/** runtime.md, "Lifecycle", "Errors" and "Warnings". */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import { scratch } from '../fixtures/rootfs.ts'
import {
  assertGone,
  linux,
  observedRuntime,
  output,
  process_,
  requirements,
  uniqueId,
} from './requirements.ts'

const folder = scratch('lifecycle')
let serial = 0
const record = (): string => join(folder, `record-${serial++}`)
const recorded = (file: string): string[] =>
  existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []

/** A hook that writes its name into a file of the host, and exits with `status`. */
const hook = (file: string, name: string, status = 0) => ({
  path: '/bin/sh',
  args: ['sh', '-c', `cat > /dev/null; echo ${name} >> '${file}'; exit ${status}`],
})
/** Runs inside, where no file of the host is: it only exits. */
const inside = (status: number) => ({
  path: '/bin/sh',
  args: ['sh', '-c', `cat > /dev/null; exit ${status}`],
})

requirements({
  'the environment exists before the program is started': {
    edit: (spec) => {
      spec.hostname = 'made-before'
      spec.mounts!.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['size=4k'] })
    },
    check: async (t, container) => {
      const mounts = readFileSync(`/proc/${container.pid}/mountinfo`, 'utf8')
      t.regex(mounts, / \/tmp .* tmpfs /)
      t.deepEqual(readdirSync(`/proc/${container.pid}/root/tmp`), [])
    },
    needs: ['root'], // an ordinary user cannot look into a process that is not dumpable
  },
  'an environment that cannot be made is an error and leaves nothing': {
    edit: (spec) => void spec.mounts!.push({ destination: '/tmp', type: 'nosuchfs', source: 'none' }),
    refused: 'ERR_SYSCALL',
  },
  'a warning does not change the flow': {
    edit: process_({ capabilities: { bounding: ['CAP_NO_SUCH'], effective: [], permitted: [] } }),
    script: 'echo went on',
    prints: 'went on',
    warns: /CAP_NO_SUCH/,
  },
  'masked paths that are missing do not fail': {
    edit: linux({ maskedPaths: ['/no/such/path'] }),
    script: 'echo went on',
    prints: 'went on',
  },
})

test('the program does not run before start, and runs at start', async (t) => {
  const { runtime } = observedRuntime()
  const file = record()
  writeFileSync(file, '')
  const edit = (spec: RuntimeSpec): void =>
    void spec.mounts!.push({ destination: '/tmp', source: folder, options: ['bind'] })
  const args = ['sh', '-c', `echo ran >> /tmp/${file.slice(folder.length + 1)}`]
  await using container = await runtime.create(uniqueId(), { bundle: bundle({ args, edit }) })
  await container.state()
  t.deepEqual(recorded(file), [''])
  await output(container)
  t.deepEqual(recorded(file), ['ran'])
})

test('later changes of config.json have no effect', async (t) => {
  const { runtime } = observedRuntime()
  const path = bundle({ args: ['echo', 'as created'] })
  await using container = await runtime.create(uniqueId(), { bundle: path })
  const config = join(path, 'config.json')
  writeFileSync(config, readFileSync(config, 'utf8').replace('as created', 'as changed'))
  t.is((await output(container)).stdout, 'as created')
})

for (const point of ['prestart', 'createRuntime', 'createContainer'] as const)
  test(`a failing ${point} hook fails create, destroys the container and runs poststop`, async (t) => {
    const { runtime } = observedRuntime()
    const id = uniqueId()
    const file = record()
    const hooks = {
      [point]: [hook(file, 'first'), hook(file, 'fails', 3), hook(file, 'never')],
      poststop: [hook(file, 'poststop')],
    }
    const source = { bundle: bundle({ edit: (spec) => void (spec.hooks = hooks) }) }
    await t.throwsAsync(runtime.create(id, source), { code: 'ERR_HOOK' })
    t.deepEqual(recorded(file), ['first', 'fails', 'poststop'])
    assertGone(t, id)
  })

for (const point of ['startContainer', 'poststart'] as const)
  test(`a failing ${point} hook fails start, destroys the container and runs poststop`, async (t) => {
    const { runtime } = observedRuntime()
    const id = uniqueId()
    const file = record()
    const failing = point === 'startContainer' ? inside(3) : hook(file, 'fails', 3)
    const hooks = { [point]: [failing], poststop: [hook(file, 'poststop')] }
    const source = { bundle: bundle({ args: ['sleep', '60'], edit: (spec) => void (spec.hooks = hooks) }) }
    const container = await runtime.create(id, source)
    await t.throwsAsync(container.start(), { code: 'ERR_HOOK' })
    t.is(recorded(file).at(-1), 'poststop')
    assertGone(t, id)
  })

test('a failing poststop hook is a warning, and the others and the lifecycle go on', async (t) => {
  const { runtime, warnings } = observedRuntime()
  const id = uniqueId()
  const file = record()
  const hooks = { poststop: [hook(file, 'fails', 3), hook(file, 'second')] }
  const container = await runtime.create(id, {
    bundle: bundle({ edit: (spec) => void (spec.hooks = hooks) }),
  })
  await output(container)
  await container.delete()
  t.deepEqual(recorded(file), ['fails', 'second'])
  t.true(
    warnings.some((message) => message.includes('poststop')),
    JSON.stringify(warnings),
  )
  assertGone(t, id)
})

test('hooks run at every point of the lifecycle, in the order of the specification', async (t) => {
  const { runtime } = observedRuntime()
  const file = record()
  const points = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'] as const
  const hooks = Object.fromEntries(points.map((name) => [name, [hook(file, name), hook(file, `${name} 2`)]]))
  const container = await runtime.create(uniqueId(), {
    bundle: bundle({ edit: (spec) => void (spec.hooks = { ...hooks, startContainer: [inside(0)] }) }),
  })
  const twice = (names: readonly string[]): string[] => names.flatMap((name) => [name, `${name} 2`])
  t.deepEqual(recorded(file), twice(points.slice(0, 3)))
  await output(container)
  t.deepEqual(recorded(file), twice(points.slice(0, 4)))
  await container.delete()
  t.deepEqual(recorded(file), twice(points))
})
