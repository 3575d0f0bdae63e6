/** What the specification asks of documents rather than of runtimes: strict validation, and what is written. */
import test from 'ava'
import { Runtime } from '../../ts/index.ts'
import { safeParseRuntimeFeatures, safeParseRuntimeSpec, safeParseRuntimeState } from '../../ts/spec/index.ts'
import { defaultSpec } from '../../ts/image/default-spec.ts'
import { bundle } from '../fixtures/bundle.ts'
import { observedRuntime, uniqueId } from './requirements.ts'

type Document = Record<string, any>
/** Changes of a valid document that strict validation refuses, with the path that it names. */
const REFUSED: Record<string, [path: string, change: (spec: Document) => void]> = {
  'ociVersion that is not SemVer 2.0.0': ['ociVersion', (spec) => (spec['ociVersion'] = '1.0')],
  'ociVersion with a leading zero': ['ociVersion', (spec) => (spec['ociVersion'] = '1.02.0')],
  'a destination that is not a string': [
    'mounts[0].destination',
    (spec) => (spec['mounts'][0].destination = 7),
  ],
  'a relative masked path': ['linux.maskedPaths[0]', (spec) => (spec['linux'].maskedPaths = ['etc'])],
  'a relative read-only path': ['linux.readonlyPaths[0]', (spec) => (spec['linux'].readonlyPaths = ['tmp'])],
  'a user without uid': ['process.user', (spec) => delete spec['process'].user.uid],
  'a user without gid': ['process.user', (spec) => delete spec['process'].user.gid],
  'consoleSize without height': [
    'process.consoleSize',
    (spec) => (spec['process'].consoleSize = { width: 80 }),
  ],
  'consoleSize without width': [
    'process.consoleSize',
    (spec) => (spec['process'].consoleSize = { height: 25 }),
  ],
}

for (const [title, [path, change]] of Object.entries(REFUSED))
  test(`strict validation refuses ${title}`, (t) => {
    const spec = defaultSpec()
    t.true(safeParseRuntimeSpec(JSON.stringify(spec), { mode: 'strict' }).success)
    change(spec as unknown as Document)
    const result = safeParseRuntimeSpec(JSON.stringify(spec), { mode: 'strict' })
    t.false(result.success)
    if (!result.success)
      t.true(
        result.error.issues.some((issue) => issue.path.startsWith(path)),
        JSON.stringify(result.error.issues),
      )
  })

test('the state is a valid document of the specification', async (t) => {
  const { runtime } = observedRuntime()
  await using container = await runtime.create(uniqueId(), { bundle: bundle() })
  const result = safeParseRuntimeState(JSON.stringify(await container.state()), { mode: 'strict' })
  t.true(result.success, JSON.stringify(result))
})

test('the features are a valid document of the specification', (t) => {
  const result = safeParseRuntimeFeatures(JSON.stringify(new Runtime().features()), { mode: 'strict' })
  t.true(result.success, JSON.stringify(result))
})
