/** features.md and features-linux.md: what the document lists is taken in config.json. */
import test from 'ava'
import { Runtime } from '../../ts/index.ts'
import type { RuntimeFeatures, RuntimeSpec } from '../../ts/spec/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import {
  assertGone,
  isRoot,
  linux,
  observedRuntime,
  output,
  requirements,
  uniqueId,
  type Requirement,
} from './requirements.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { needs } from '../fixtures/needs.ts'

const features = new Runtime().features() as unknown as RuntimeFeatures
const userNamespace = isRoot ? [] : (['userns'] as const)

test('the versions are SemVer, the smallest before the greatest', (t) => {
  const [least, most] = [features.ociVersionMin, features.ociVersionMax].map((version) => {
    t.regex(version, /^\d+\.\d+\.\d+$/)
    return version.split('.').map(Number)
  })
  t.true(least!.some((number, index) => number < most![index]!))
  t.true(least!.every((number, index) => number <= most![index]! || least![0]! < most![0]!))
})

test('no property is null', (t) => {
  const walk = (value: unknown, path: string): void => {
    t.not(value, null, path)
    if (typeof value === 'object')
      for (const [key, below] of Object.entries(value!)) walk(below, `${path}.${key}`)
  }
  walk(features, 'features')
})

test('mappings of mounts are listed as an extension', (t) => {
  t.true(features.linux!.mountExtensions!.idmap!.enabled)
})

const accepted = (edit: (spec: RuntimeSpec) => void): Requirement => ({
  edit,
  script: 'echo ran',
  prints: 'ran',
})

requirements({
  'ociVersionMin is accepted': accepted((spec) => void (spec.ociVersion = features.ociVersionMin)),
  'ociVersionMax is accepted': accepted((spec) => void (spec.ociVersion = features.ociVersionMax)),
  'every listed hook is accepted': accepted(
    (spec) =>
      void (spec.hooks = Object.fromEntries(features.hooks!.map((name) => [name, [{ path: '/bin/true' }]]))),
  ),
  'every listed namespace is recognised': {
    edit: linux({
      namespaces: features.linux!.namespaces!.map((type) => ({ type })),
      uidMappings: [{ containerID: 0, hostID: process.geteuid!(), size: 1 }],
      gidMappings: [{ containerID: 0, hostID: process.getegid!(), size: 1 }],
    } as object),
    script: 'echo ran',
    prints: 'ran',
    needs: ['root'],
  },
})

needs(...userNamespace)('every listed capability is recognised', async (t) => {
  const { runtime, warnings } = observedRuntime()
  const all = features.linux!.capabilities!
  const capabilities = { bounding: all, effective: all, permitted: all }
  const edit = (spec: RuntimeSpec): void => void (spec.process!.capabilities = capabilities)
  await using container = await runtime.create(uniqueId(), { bundle: bundle({ edit }) })
  t.is((await output(container)).stderr, '')
  // This process may lack some, which is not a matter of recognising them.
  t.deepEqual(
    warnings.filter((message) => !message.includes('not granted')),
    [],
  )
})

const folder = scratch('options')

/** Options of bind mounts alone. */
const BINDS = ['bind', 'rbind', 'copy-symlink', 'src-nofollow', 'dest-nofollow']
/** Options that need mappings of ids. */
const IDMAP = ['idmap', 'ridmap']
for (const option of features.mountOptions!.filter((name) => !IDMAP.includes(name)))
  needs(...userNamespace)(`the listed mount option ${option} is recognised`, async (t) => {
    const { runtime } = observedRuntime()
    const id = uniqueId()
    const isBind = BINDS.includes(option)
    const mount = {
      destination: option === 'tmpcopyup' ? '/etc' : '/tmp',
      type: 'tmpfs',
      source: isBind ? folder : 'tmpfs',
      options: isBind ? ['bind', option] : [option],
    }
    // A remount changes a mount that is there.
    const first = option === 'remount' ? [{ ...mount, options: [] }] : []
    const edit = (spec: RuntimeSpec): void => void spec.mounts!.push(...first, mount)
    const container = await runtime.create(id, { bundle: bundle({ args: ['true'], edit }) })
    t.is((await output(container)).stderr, '')
    await container.delete()
    assertGone(t, id)
  })
