import { spawn } from 'node:child_process'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { Engine } from '../../ts/native/engine.ts'
import { signalContainer } from '../../ts/native/state.ts'
import { makeBundle, type Bundle } from './bundle.ts'
import { exitOf, failureOf, freshId, isAlive, remains, statusOf, until } from './container.ts'

const engine = new Engine()

/** Creates a detached container in a process of its own, which ends at once. */
async function createElsewhere(t: ExecutionContext, made: Bundle): Promise<{ id: string; pid: number }> {
  const id = freshId()
  t.teardown(() => engine.destroy({ root: made.root, id, force: true }).catch(() => undefined))
  const script = `
    import { Engine } from ${JSON.stringify(new URL('../../ts/native/engine.ts', import.meta.url).href)}
    const request = ${JSON.stringify({
      id,
      root: made.root,
      bundle: made.bundle,
      stdio: [-1, -1, -1],
      attached: false,
      pivot: true,
      newKeyring: true,
      preserveFds: 0,
      cgroupDisabled: false,
    })}
    const { pid } = await new Engine().create(request)
    console.log(pid)`
  const child = spawn(
    process.execPath,
    ['--import=@oxc-node/core/register', '--no-warnings', '--input-type=module', '-e', script],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const [status] = (await once(child, 'close')) as [number | null]
  t.is(status, 0, 'the creating process ends by itself: a detached container does not keep it')
  return { id, pid: Number(output) }
}

test('a container of another process is started, watched and destroyed', async (t) => {
  const made = makeBundle(t, ['sleep', '1000'])
  const { id, pid } = await createElsewhere(t, made)
  t.true(isAlive(pid))
  t.is(await statusOf(made.root, id), 'created')
  const handle = await engine.watch(made.root, id)
  await engine.start(made.root, id)
  t.is(await statusOf(made.root, id), 'running')
  t.is((await failureOf(t, engine.start(made.root, id))).code, 'ERR_INVALID_STATE')
  await signalContainer(made.root, id, 9, true)
  const exit = await exitOf(engine, handle)
  // The exit status is known only where the kernel reveals it to other processes (Linux 6.15).
  t.true(exit.exitCode === null && (exit.signal === 9 || exit.signal === null), JSON.stringify(exit))
  await until(() => !isAlive(pid))
  t.is(await statusOf(made.root, id), 'stopped')
  t.is((await failureOf(t, engine.watch(made.root, id))).code, 'ERR_INVALID_STATE')
  await engine.destroy({ root: made.root, id, force: false })
  t.deepEqual(remains(made.root, id), [])
})

test('destroy by force ends a running container of another process', async (t) => {
  const made = makeBundle(t, ['sh', '-c', 'sleep 1000 & sleep 1000'])
  const { id, pid } = await createElsewhere(t, made)
  await engine.start(made.root, id)
  t.is((await failureOf(t, engine.destroy({ root: made.root, id, force: false }))).code, 'ERR_INVALID_STATE')
  await engine.destroy({ root: made.root, id, force: true })
  t.false(isAlive(pid))
  t.deepEqual(remains(made.root, id), [])
})
