// What one container that cannot go on costs the others: create + start + wait + delete beside 50 running containers,
// alone and beside one whose hook hangs, whose console socket accepts nothing, or whose cgroup holds a foreign process.
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Runtime } from 'caisson'
import { defaultBundle, have } from '../start/bundle.mjs'
import { median } from '../statistics.mjs'

const rounds = Number(process.env.ROUNDS ?? 100)
if (!have('runc')) {
  console.log(
    'skipped: runc is missing (scripts/install-test-tools); it writes the configuration that is measured',
  )
  process.exit(0)
}
const runtime = new Runtime({ onWarning: () => {} })
let serial = 0
const freshId = () => `bench-neighbours-${process.pid}-${serial++}`
const quick = defaultBundle()
const sleeping = defaultBundle(['/bin/sleep', '600'])

/** A bundle whose configuration is changed. */
function changed(edit) {
  const bundle = defaultBundle(['/bin/sleep', '600'])
  const path = join(bundle, 'config.json')
  const config = JSON.parse(readFileSync(path, 'utf8'))
  edit(config)
  writeFileSync(path, JSON.stringify(config))
  return bundle
}

/** Durations of whole lives, and the longest turn of the event loop meanwhile. */
async function measure() {
  const lives = []
  let [longest, last, watching] = [0, performance.now(), true]
  const watch = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    if (watching) setImmediate(watch)
  }
  setImmediate(watch)
  for (let round = 0; round < rounds; round++) {
    const begun = performance.now()
    const container = await runtime.create(freshId(), { bundle: quick, stdio: 'ignore' })
    await container.start()
    await container.wait()
    await container.delete()
    lives.push(performance.now() - begun)
  }
  watching = false
  return { life: median(lives), longest }
}

const stuck = {
  async 'a hook that hangs'() {
    const abort = new AbortController()
    const bundle = changed((config) => {
      config.hooks = { createRuntime: [{ path: '/bin/sleep', args: ['sleep', '600'] }] }
    })
    const creating = runtime.create(freshId(), { bundle, signal: abort.signal, stdio: 'ignore' })
    creating.catch(() => {})
    return async () => {
      abort.abort()
      await creating.catch(() => {})
    }
  },
  async 'a console socket that accepts nothing'() {
    const bundle = changed((config) => void (config.process.terminal = true))
    const path = join(bundle, 'console.sock')
    const listener = spawn(
      process.execPath,
      [
        '-e',
        `require('net').createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => console.log())`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    await new Promise((resolve) => listener.stdout.once('data', resolve))
    listener.kill('SIGSTOP')
    const waiting = []
    for (let full = false; !full;) {
      const socket = connect(path)
      full = await new Promise((resolve) =>
        socket.once('connect', () => resolve(false)).once('error', () => resolve(true)),
      )
      waiting.push(socket)
    }
    const again = async () => {
      for (;;)
        await runtime
          .create(freshId(), { bundle, consoleSocket: path, detached: true, signal: abort.signal })
          .catch(() => {})
          .then(() => abort.signal.throwIfAborted())
    }
    const abort = new AbortController()
    const creating = again()
    creating.catch(() => {})
    return async () => {
      abort.abort()
      await creating.catch(() => {})
      for (const socket of waiting) socket.destroy()
      listener.kill('SIGKILL')
    }
  },
  async 'a delete that waits'() {
    const holder = spawn('/bin/sleep', ['600'], { stdio: 'ignore' })
    let going = true
    const again = async () => {
      while (going) {
        const container = await runtime.create(freshId(), { bundle: sleeping, stdio: 'ignore' })
        await container.start()
        const groups = readFileSync(`/proc/${container.pid}/cgroup`, 'utf8').trim().split('\n')
        const pids = groups.find((line) => line.split(':')[1] === 'pids') ?? groups[0]
        const [, controllers, path] = pids.split(':')
        const mount = controllers === '' ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${controllers}`
        await container.kill('SIGKILL')
        await container.wait()
        writeFileSync(join(mount, path, 'cgroup.procs'), String(holder.pid))
        await container.delete({ force: true }).catch(() => {})
        writeFileSync(join(mount, 'cgroup.procs'), String(holder.pid))
        await container.delete({ force: true }).catch(() => {})
      }
    }
    const deleting = again()
    deleting.catch((error) => console.error(error))
    return async () => {
      going = false
      await deleting.catch(() => {})
      holder.kill('SIGKILL')
    }
  },
}

const neighbours = await Promise.all(
  Array.from({ length: 50 }, async () => {
    const container = await runtime.create(freshId(), { bundle: sleeping, stdio: 'ignore' })
    await container.start()
    return container
  }),
)
await measure() // warm
const alone = await measure()
const line = (name, { life, longest }) =>
  `${name.padEnd(40)} ${life.toFixed(2).padStart(7)} ms   longest turn ${longest.toFixed(2)} ms`
console.log(line('50 neighbours that run', alone))
for (const [name, begin] of Object.entries(stuck)) {
  const end = await begin()
  const measured = await measure()
  await end()
  console.log(`${line(`and ${name}`, measured)}   ratio ${(measured.life / alone.life).toFixed(2)}`)
}
await Promise.all(neighbours.map((container) => container.delete({ force: true })))
