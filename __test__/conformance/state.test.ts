/** runtime.md, "State" and bundle.md. */
import { mkdirSync, rmSync, unlinkSync } from 'node:fs'
import { isAbsolute, join, relative } from 'node:path'
import test from 'ava'
import { bundle } from '../fixtures/bundle.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { assertGone, observedRuntime, output, requirements, uniqueId } from './requirements.ts'

const annotations = { 'com.example.key': 'value', 'com.example.empty': '' }

requirements({
  'a created container has the required properties of the state': {
    edit: (spec) => void (spec.annotations = annotations),
    check: async (t, container) => {
      const { ociVersion, id, status, pid, bundle: path, annotations: shown } = await container.state()
      t.deepEqual(
        { ociVersion, id, status, shown },
        {
          ociVersion: '1.0.2',
          id: container.id,
          status: 'created',
          shown: annotations,
        },
      )
      t.is(pid, container.pid)
      t.true(pid > 0 && isAbsolute(path))
    },
  },
  'a running container has the required properties of the state': {
    args: ['sleep', '60'],
    check: async (t, container) => {
      await container.start()
      const { status, pid } = await container.state()
      t.deepEqual([status, pid], ['running', container.pid])
    },
  },
  'a container whose program has ended is stopped': {
    check: async (t, container) => {
      await container.start()
      await container.wait()
      t.is((await container.state()).status, 'stopped')
    },
  },
})

test('the bundle is an absolute path, also where it was given as a relative one', async (t) => {
  const { runtime } = observedRuntime()
  const path = bundle()
  await using container = await runtime.create(uniqueId(), { bundle: relative(process.cwd(), path) })
  t.is((await container.state()).bundle, path)
})

test('an id in use is refused, and its container is not touched', async (t) => {
  const { runtime } = observedRuntime()
  const id = uniqueId()
  await using container = await runtime.create(id, { bundle: bundle({ args: ['echo', 'first'] }) })
  await t.throwsAsync(runtime.create(id, { bundle: bundle() }), { code: 'ERR_EXISTS' })
  t.is((await container.state()).status, 'created')
  t.is((await output(container)).stdout, 'first')
})

test('a bundle without config.json in its root is refused', async (t) => {
  const { runtime } = observedRuntime()
  const id = uniqueId()
  const path = join(scratch('bundle'), 'bundle')
  mkdirSync(path)
  await t.throwsAsync(runtime.create(id, { bundle: path }), { code: 'ERR_INVALID_BUNDLE' })
  assertGone(t, id)
})

test('config.json is looked for in the root of the bundle only', async (t) => {
  const { runtime } = observedRuntime()
  const id = uniqueId()
  await t.throwsAsync(runtime.create(id, { bundle: join(bundle(), '..') }), { code: 'ERR_INVALID_BUNDLE' })
  assertGone(t, id)
})

test('a bundle that is not there any more does not keep a container from ending', async (t) => {
  const { runtime } = observedRuntime()
  const id = uniqueId()
  const path = bundle({ args: ['echo', 'ran'] })
  const container = await runtime.create(id, { bundle: path })
  unlinkSync(join(path, 'config.json'))
  rmSync(path, { recursive: true })
  t.is((await output(container)).stdout, 'ran')
  await container.delete()
  assertGone(t, id)
})
