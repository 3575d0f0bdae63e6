import { Worker } from 'node:worker_threads'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { Engine } from '../../ts/native/engine.ts'
import { makeBundle, type Bundle } from './bundle.ts'
import { isAlive, remains, requestFor, until } from './container.ts'
import { elsewhere, engineModule } from './elsewhere.ts'

const engine = new Engine()

/** Code that starts an attached container and prints the pid of its first process. */
function starting(t: ExecutionContext, made: Bundle): { id: string; body: string } {
  const request = requestFor(made, { attached: true, stdio: [-1, -1, -1] })
  t.teardown(() => engine.destroy({ root: request.root, id: request.id, force: true }).catch(() => undefined))
  const body = `
    const request = ${JSON.stringify(request)}
    const { pid } = await engine.create(request)
    await engine.start(request.root, request.id)
    console.log(pid)
    engine.hold(request)`
  return { id: request.id, body }
}

const program = ['sh', '-c', 'sleep 1000 & sleep 1000']

test('an attached container does not survive the SIGKILL of its creator, and nothing of it is left', async (t) => {
  const made = makeBundle(t, program)
  const { id, body } = starting(t, made)
  const { child, line, end } = elsewhere(body)
  const pid = Number(await line)
  t.true(isAlive(pid))
  child.kill('SIGKILL')
  await end
  await until(() => !isAlive(pid))
  await until(() => remains(made.root, id).length === 0)
  t.pass()
})

test('the same without a pid namespace: the whole cgroup is killed', async (t) => {
  const made = makeBundle(t, ['sh', '-c', 'sleep 98765 & sleep 1000'])
  made.config.linux.namespaces = made.config.linux.namespaces.filter(({ type }) => type !== 'pid')
  made.config['mounts'] = (made.config['mounts'] as { type: string }[]).filter(({ type }) => type !== 'proc')
  made.config.linux['maskedPaths'] = []
  made.config.linux['readonlyPaths'] = []
  made.save()
  const { id, body } = starting(t, made)
  const { child, line, end } = elsewhere(body)
  const pid = Number(await line)
  child.kill('SIGKILL')
  await end
  await until(() => !isAlive(pid))
  await until(() => remains(made.root, id).length === 0) // a cgroup with a process in it cannot be removed
  t.pass()
})

test('process.exit ends attached containers too', async (t) => {
  const made = makeBundle(t, program)
  const { id, body } = starting(t, made)
  const { end } = elsewhere(`${body}\n process.exit(3)`)
  const { status, output, errors } = await end
  t.is(status, 3, errors)
  await until(() => !isAlive(Number(output)))
  await until(() => remains(made.root, id).length === 0)
})

test('a worker thread that ends ends the containers of its own engine only', async (t) => {
  const made = makeBundle(t, program)
  const ours = requestFor(made, { attached: true, stdio: [-1, -1, -1] })
  t.teardown(() => engine.destroy({ root: ours.root, id: ours.id, force: true }).catch(() => undefined))
  const { pid: kept } = await engine.create(ours)
  const { id, body } = starting(t, made)
  const code = `
    const { parentPort } = require('node:worker_threads')
    const load = import("@oxc-node/core/register").then(() => import(${JSON.stringify(engineModule)}))
    void load.then(async ({ Engine }) => {
      const engine = new Engine()
      ${body.replace('console.log(pid)', 'parentPort.postMessage(pid)')}
    })`
  const worker = new Worker(code, { eval: true })
  const [pid] = (await once(worker, 'message')) as [number]
  t.true(isAlive(pid))
  await worker.terminate()
  await until(() => !isAlive(pid))
  await until(() => remains(made.root, id).length === 0)
  t.true(isAlive(kept))
})

test('an idle engine with a detached container does not keep Node alive', async (t) => {
  const made = makeBundle(t, ['sleep', '1000'])
  const request = requestFor(made, { stdio: [-1, -1, -1] })
  t.teardown(() => engine.destroy({ root: request.root, id: request.id, force: true }).catch(() => undefined))
  const { end } = elsewhere(`
    const request = ${JSON.stringify(request)}
    const { pid } = await engine.create(request)
    await engine.start(request.root, request.id)
    console.log(pid)`)
  const { status, output, errors } = await end
  t.is(status, 0, errors)
  t.true(isAlive(Number(output)), 'and leaves it running')
})
