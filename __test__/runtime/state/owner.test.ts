import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Runtime } from '../../../ts/index.ts'
import { bundle } from '../../fixtures/bundle.ts'
import { needs } from '../../fixtures/needs.ts'
import { startTimeOf } from '../../../ts/runtime/lifecycle/owner.ts'
import { checkout, nextLine, program } from '../../fixtures/program.ts'
import { remains } from '../../fixtures/remains.ts'
import { scratch } from '../../fixtures/rootfs.ts'
import { until } from '../../fixtures/until.ts'

const root = join(scratch('state'), 'root')
const privileged = needs('root')
let serial = 0
/** A zombie that its new parent has not collected yet does not count. */
const isRunning = (pid: number): boolean => startTimeOf(pid) !== undefined
const newId = (): string => `own-${process.pid}-${serial++}`

const starter = (id: string, detached: boolean): string => `
import { Runtime } from 'caisson'
const runtime = new Runtime({ root: ${JSON.stringify(root)} })
const options = { bundle: ${JSON.stringify(bundle({ args: ['sleep', '600'] }))}, stdio: 'ignore', detached: ${detached} } as const
const container = await runtime.create(${JSON.stringify(id)}, options)
await container.start()
console.log(container.pid)
`

privileged('SIGKILL of the Node process ends attached containers and leaves nothing', async (t) => {
  const id = newId()
  const running = program(starter(id, false))
  const pid = Number(await nextLine(running))
  t.true(isRunning(pid))
  running.child.kill('SIGKILL')
  await running.ended
  await until(() => !existsSync(join(root, id)) && !isRunning(pid), 'the guard has cleaned up')
  const left = remains(root, id)
  t.deepEqual([left.processes, left.cgroups, left.directories], [[], [], []])
})

privileged(
  'a detached container survives, does not keep Node alive, and another process deletes it',
  async (t) => {
    const id = newId()
    const running = program(starter(id, true))
    const pid = Number(await nextLine(running))
    const { code } = await running.ended
    t.is(code, 0)
    t.true(isRunning(pid))
    const container = await new Runtime({ root }).get(id)
    t.is((await container.state()).status, 'running')
    await container.delete({ force: true })
    t.false(isRunning(pid))
  },
)

privileged('Node exits by itself after the last container', async (t) => {
  const id = newId()
  const running = program(`${starter(id, false)}
await container.kill('SIGKILL')
await container.wait()
await container.delete()
`)
  await nextLine(running)
  t.is((await running.ended).code, 0)
})

privileged('a running attached container keeps Node alive until it ends', async (t) => {
  const id = newId()
  const running = program(`${starter(id, false)}
void container.wait().then(async ({ signal }) => { console.log(signal); await container.delete() })
`)
  await nextLine(running)
  const container = await new Runtime({ root }).get(id)
  await container.kill('SIGTERM').catch(() => {})
  await container.kill('SIGKILL')
  t.is(await nextLine(running), 'SIGKILL')
  t.is((await running.ended).code, 0)
})

privileged('the leftovers of a killed create are removed by the next Runtime', async (t) => {
  const id = newId()
  const running = program(starter(id, true))
  await nextLine(running)
  await running.ended
  // As if the container were attached and no guard had been there: the owner is gone.
  const file = join(root, id, 'state.json')
  writeFileSync(file, readFileSync(file, 'utf8').replace('"attached":false', '"attached":true'))
  const next = new Runtime({ root })
  await using other = await next.create(newId(), { bundle: bundle(), stdio: 'ignore' })
  t.is((await other.state()).status, 'created')
  await until(() => !existsSync(join(root, id)), 'it is swept in the background')
})

privileged('containers work in a worker thread and end with it', async (t) => {
  const id = newId()
  const file = join(scratch('worker'), 'worker.ts')
  const source = `
import { parentPort } from 'node:worker_threads'
import { Runtime } from ${JSON.stringify(join(checkout, 'ts/index.ts'))}
const runtime = new Runtime({ root: ${JSON.stringify(root)} })
const options = { bundle: ${JSON.stringify(bundle({ args: ['sleep', '600'] }))}, stdio: 'ignore' } as const
const container = await runtime.create(${JSON.stringify(id)}, options)
await container.start()
parentPort!.postMessage(container.pid)
`
  writeFileSync(file, source)
  const worker = new Worker(file)
  const pid = await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  t.true(isRunning(pid))
  await worker.terminate()
  await until(() => !isRunning(pid), 'the container has ended with its worker')
  await until(() => !existsSync(join(root, id)), 'its directory is gone')
  t.pass()
})

privileged('two copies of the package in one process do not disturb each other', async (t) => {
  const running = program(`
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Runtime, CaissonError } from 'caisson'
const copy = mkdtempSync(join(tmpdir(), 'caisson-copy-'))
try {
  cpSync(${JSON.stringify(join(checkout, 'ts'))}, join(copy, 'ts'), { recursive: true })
  for (const name of ['package.json', 'tsconfig.json', 'node_modules', 'npm']) symlinkSync(join(${JSON.stringify(checkout)}, name), join(copy, name))
  const other = await import(join(copy, 'ts/index.ts'))
  const options = { bundle: ${JSON.stringify(bundle({ args: ['sh', '-c', 'exit 3'] }))}, stdio: 'ignore' } as const
  const exits = await Promise.all([new Runtime({ root: ${JSON.stringify(root)} }), new other.Runtime({ root: ${JSON.stringify(root)} })].map(async (runtime, index) => {
    const container = await runtime.create(${JSON.stringify(newId())} + index, options)
    await container.start()
    const { exitCode } = await container.wait()
    await container.delete()
    return exitCode
  }))
  const error = await new other.Runtime().get('nobody').catch((error: unknown) => error)
  console.log(JSON.stringify([exits, other.Runtime !== Runtime, error instanceof CaissonError]))
} finally {
  rmSync(copy, { recursive: true, force: true })
}
`)
  t.is(await nextLine(running), '[[3,3],true,true]')
  t.is((await running.ended).code, 0)
})
