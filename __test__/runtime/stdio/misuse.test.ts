/**
 * Whatever a caller does to the streams of a run, its promise settles, nothing is left, and nothing is unhandled.
 * fast-check generates the scenarios, which run in a process of their own.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { needs } from '../../fixtures/needs.ts'
import { nextLine, program, type Program } from '../../fixtures/program.ts'
import fc from '../../fixtures/property.ts'
import { rootfs, scratch } from '../../fixtures/rootfs.ts'
import type { Action, Outcome, Scenario } from './misuse-client.ts'

const stream = fc.constantFrom('stdin', 'stdout', 'stderr')
const common = ['destroy', 'destroy with an error'] as const
const action: fc.Arbitrary<Action> = fc.record({
  at: fc.oneof(fc.constant('started' as const), fc.constantFrom(0, 1, 5, 20, 50, 100)),
  on: stream,
  do: fc.constantFrom(
    ...common,
    ...common,
    'end',
    'write',
    'pipeline to a failing target',
    'pipeline from a failing source',
    'pipe to a target that closes',
    'iterate once',
    'lines once',
    'lines',
    'pause',
    'resume',
    'kill',
    'stop',
    'unref',
  ),
}) as fc.Arbitrary<Action>
const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 3 }).map((value) => value)
const given = fc.constantFrom('pipe', 'pipe', 'pipe', 'ignore', 'stream', 'failing stream', 'closed stream')
const scenario = fc.record({
  source: fc.constantFrom('rootfs', 'rootfs', 'rootfs', 'host'),
  program: fc.constantFrom('true', 'missing', 'exit', 'sleep', 'cat', 'output', 'endless', 'endless stderr'),
  terminal: fc.constantFrom(false, false, false, true),
  stdio: fc.record({ stdin: given, stdout: given, stderr: given }),
  input: fc.constantFrom(
    'none',
    'none',
    'text',
    'stream',
    'endless',
    'failing',
    'missing file',
    'cut off',
    'objects',
    'failed',
  ),
  buffer: fc.boolean(),
  timeout: rarely(fc.constantFrom(1, 20, 100)),
  gentle: fc.boolean(),
  abort: rarely(fc.constantFrom(0, 1, 5, 20, 60)),
  free: rarely(fc.integer({ min: 0, max: 30 })),
  actions: fc.array(action, { maxLength: 4 }),
}) as fc.Arbitrary<Scenario>

const client = fileURLToPath(new URL('misuse-client.ts', import.meta.url))
let running: Program | undefined

function start(root: string): Program {
  const argv = [root, rootfs()].map((path) => JSON.stringify(path)).join(', ')
  return program(`process.argv.splice(2, 9, ${argv}); await import(${JSON.stringify(client)})`, {
    under: ['sh', '-c', 'ulimit -S -n 256; exec "$@"', 'sh'],
  })
}

needs(process.geteuid?.() === 0 ? 'root' : 'userns')(
  'any misuse of the streams of a run settles and leaves nothing',
  async (t) => {
    t.timeout(600_000)
    const root = join(scratch('misuse'), 'root')
    await fc.assert(
      fc.asyncProperty(scenario, async (made) => {
        running ??= start(root)
        running.child.stdin!.write(`${JSON.stringify(made)}\n`)
        const { killed, ...outcome } = JSON.parse(await nextLine(running)) as Outcome
        const fine = outcome.settled && outcome.left.length === 0 && outcome.unhandled.length === 0
        if (fine && /^(ok|ERR_\w+)$/.test(outcome.code)) return
        // The next scenario would find the same leftovers.
        running.child.kill('SIGKILL')
        running = undefined
        throw new Error(JSON.stringify({ killed, ...outcome }))
      }),
      {
        numRuns: Number(process.env['CAISSON_PROPERTY_RUNS'] ?? 60),
        endOnFailure: process.env['CAISSON_PROPERTY_SHRINK'] === undefined,
        includeErrorInReport: true,
      },
    )
    running?.child.kill('SIGKILL')
    t.pass()
  },
)
