/**
 * The guard in bad company: a caller that dies in the middle of a message, a stopped guard, a worker that ends.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { bundle } from '../../fixtures/bundle.ts'
import { children } from '../../fixtures/children.ts'
import { needs } from '../../fixtures/needs.ts'
import { checkout, nextLine, program } from '../../fixtures/program.ts'
import { remains } from '../../fixtures/remains.ts'
import { scratch } from '../../fixtures/rootfs.ts'
import { until } from '../../fixtures/until.ts'

const privileged = needs('root')
const root = join(scratch('state'), 'root')
let serial = 0
const newId = (): string => `guard-${process.pid}-${serial++}`

/** One container runs; then each line on stdin is a step. */
const starter = (id: string, steps: string): string => `
import { createInterface } from 'node:readline'
import { Runtime } from 'caisson'
const runtime = new Runtime({ root: ${JSON.stringify(root)} })
const options = { bundle: ${JSON.stringify(bundle({ args: ['sleep', '600'] }))}, stdio: 'ignore' } as const
const container = await runtime.create(${JSON.stringify(id)}, options)
await container.start()
const words = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
console.log('running')
${steps}
`

/** Freezes a process, which SIGCONT does not undo. Returns how to thaw it. */
function freeze(pid: number): () => Promise<void> {
  const v1 = existsSync('/sys/fs/cgroup/freezer')
  const directory = join(v1 ? '/sys/fs/cgroup/freezer' : '/sys/fs/cgroup', `${newId()}-frozen`)
  const [file, on, off] = v1 ? ['freezer.state', 'FROZEN', 'THAWED'] : ['cgroup.freeze', '1', '0']
  mkdirSync(directory)
  writeFileSync(join(directory, 'cgroup.procs'), String(pid))
  writeFileSync(join(directory, file!), on!)
  return async () => {
    writeFileSync(join(directory, file!), off!)
    await until(() => readFileSync(join(directory, 'cgroup.procs'), 'latin1') === '', 'the process has ended')
    rmdirSync(directory)
  }
}

privileged(
  'Node killed while it waits for a clone leaves nothing, of other containers neither',
  async (t) => {
    const id = newId()
    const another = `${id}-another`
    const steps = `await words.next()
void runtime.create(${JSON.stringify(another)}, options)
console.log('asked')`
    const running = program(starter(id, steps))
    await nextLine(running)
    const [guard] = children('caisson-guard', running.child.pid)
    const thaw = freeze(guard!)
    running.child.stdin!.write('go\n')
    await nextLine(running)
    // Its cgroups are made while the guard clones, so the guard has the request by then.
    await until(() => remains(root, another).cgroups.length > 0, 'the clone is asked for')
    running.child.kill('SIGKILL')
    await running.ended
    await thaw()
    await until(() => !existsSync(`/proc/${guard}`), 'the guard has ended')
    const left = remains(root, id)
    t.deepEqual([left.processes, left.cgroups, left.directories], [[], [], []])
  },
)

privileged('the guard leaves the cgroups of its caller with its first container', async (t) => {
  const running = program(starter(newId(), 'await words.next(); await container.delete({ force: true })'))
  await nextLine(running)
  const [guard] = children('caisson-guard', running.child.pid)
  const paths = (): string[] =>
    readFileSync(`/proc/${guard}/cgroup`, 'latin1')
      .trim()
      .split('\n')
      .map((line) => line.split(':')[2]!)
  await until(() => paths().every((path) => path === '/'), 'it is in the root of every hierarchy')
  running.child.stdin!.end('go\n')
  t.is((await running.ended).code, 0)
})

privileged('a guard that was stopped goes on with the next create', async (t) => {
  const steps = `await words.next()
const next = await runtime.create(${JSON.stringify(newId())}, options)
console.log('created')
await next.delete()
await container.delete({ force: true })
process.exit()`
  const running = program(starter(newId(), steps))
  await nextLine(running)
  const [guard] = children('caisson-guard', running.child.pid)
  process.kill(guard!, 'SIGSTOP')
  running.child.stdin!.write('go\n')
  const created = await Promise.race([nextLine(running), sleep(30_000, 'pending')])
  if (created === 'pending') running.child.kill('SIGKILL')
  t.is(created, 'created')
  t.is((await running.ended).code, 0)
})

privileged('a guard that was stopped does not keep Node from going on', async (t) => {
  const steps = `await words.next()
await container.delete({ force: true })
console.log('deleted')
await words.next()
const next = await runtime.create(${JSON.stringify(newId())}, options)
await next.delete()
console.log('alive')
process.exit()`
  const running = program(starter(newId(), steps))
  await nextLine(running)
  const [guard] = children('caisson-guard', running.child.pid)
  process.kill(guard!, 'SIGSTOP')
  running.child.stdin!.write('go\n')
  t.is(await nextLine(running), 'deleted')
  await until(() => !existsSync(`/proc/${guard}`), 'the guard is gone with the idle threads')
  running.child.stdin!.write('go\n')
  t.is(await nextLine(running), 'alive')
  t.is((await running.ended).code, 0)
})

privileged('a worker that ends while it makes containers leaves none', async (t) => {
  const id = newId()
  const file = join(scratch('worker'), 'worker.ts')
  const source = `
import { parentPort } from 'node:worker_threads'
import { Runtime } from ${JSON.stringify(join(checkout, 'ts/index.ts'))}
const runtime = new Runtime({ root: ${JSON.stringify(root)} })
const options = { bundle: ${JSON.stringify(bundle({ args: ['sleep', '600'] }))}, stdio: 'ignore' } as const
const all = Array.from({ length: 20 }, (_, index) => runtime.create(${JSON.stringify(id)} + '-' + index, options))
await Promise.race(all)
parentPort!.postMessage('one')
await Promise.all(all)
`
  writeFileSync(file, source)
  const worker = new Worker(file)
  await new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  await worker.terminate()
  const mine = (): string[] => readdirSync(root).filter((name) => name.startsWith(id))
  await until(() => mine().length === 0, 'nothing is left of the worker')
  await until(() => children('caisson-init').length === 0, 'no first process is left')
  const left = remains(root, id)
  t.deepEqual([left.processes, left.cgroups], [[], []])
})
