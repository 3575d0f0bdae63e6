/** Warnings of configurations that work: once, and not in the program's output. */
import { join } from 'node:path'
import { Runtime } from '../../../ts/index.ts'
import { bundle } from '../../fixtures/bundle.ts'
import { needsAlone } from '../../fixtures/needs.ts'
import { scratch } from '../../fixtures/rootfs.ts'

const alone = needsAlone('root')
const root = join(scratch('state'), 'root')

const withCapabilities = (change: object): string =>
  bundle({
    args: ['sh', '-c', 'echo out; echo err >&2'],
    edit: (spec) => {
      const { bounding, effective, permitted } = spec.process!.capabilities!
      spec.process!.capabilities = { bounding, effective, permitted, ...change } as never
    },
  })

/** Three runs; the warnings that they gave. */
async function warningsOf(path: string): Promise<string[]> {
  const emitted: Error[] = []
  const listen = (warning: Error): unknown => emitted.push(warning)
  process.on('warning', listen)
  const runtime = new Runtime({ root })
  for (let round = 0; round < 3; round++) {
    const { stdout, stderr } = await runtime.run({ bundle: path })
    if (stdout !== 'out\n' || stderr !== 'err\n') throw new Error(stdout + stderr)
  }
  await new Promise(setImmediate)
  process.off('warning', listen)
  return emitted.filter(({ name }) => name === 'CaissonWarning').map(({ message }) => message)
}

alone(
  'ambient capabilities without inheritable ones, as runc 1.1 writes them, give no warning',
  async (t) => {
    t.deepEqual(await warningsOf(withCapabilities({ ambient: ['CAP_KILL'] })), [])
  },
)

alone('a warning comes once, beside the output', async (t) => {
  const path = withCapabilities({ bounding: ['CAP_KILL', 'CAP_FLY'] })
  const emitted = await warningsOf(path)
  t.is(emitted.length, 1)
  t.regex(emitted[0]!, /^container .*: ignoring unknown or unavailable capabilities: \["CAP_FLY"\]$/)
  const heard: string[] = []
  const listening = new Runtime({ root, onWarning: (message) => heard.push(message) })
  await listening.run({ bundle: path })
  t.is(heard.length, 1)
})
