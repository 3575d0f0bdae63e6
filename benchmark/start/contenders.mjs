// The same container through each contender, all driven from this Node process.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Runtime } from 'caisson'

let serial = 0
const id = (name) => `bench-${name}-${process.pid}-${serial++}`

/** create + start + wait + delete by the library. */
export function caisson(bundle) {
  const runtime = new Runtime({ onWarning: () => {} }) // runc's default asks for ambient capabilities that cannot be given
  return async () => {
    const container = await runtime.create(id('caisson'), { bundle, stdio: 'ignore' })
    await container.start()
    const { exitCode } = await container.wait()
    await container.delete()
    if (exitCode !== 0) throw new Error(`caisson: exit code ${exitCode}`)
  }
}

/** `PROGRAM run` by child_process, as a Node service would call it. */
export function peer(program, bundle) {
  return () =>
    new Promise((resolve, reject) => {
      const child = spawn(program, ['run', '--bundle', bundle, id(program)], {
        stdio: ['ignore', 'ignore', 'inherit'],
      })
      child.on('error', reject)
      child.on('exit', (code) =>
        code === 0 ? resolve() : reject(new Error(`${program}: exit code ${code}`)),
      )
    })
}

/** The C program of floor.c, kept running; it measures each start itself, in milliseconds. */
export function floor(bundle) {
  const work = mkdtempSync(join(tmpdir(), 'caisson-floor-'))
  const program = join(work, 'floor')
  const { status } = spawnSync(
    'cc',
    ['-O2', '-o', program, new URL('../floor.c', import.meta.url).pathname],
    { stdio: 'inherit' },
  )
  if (status !== 0) throw new Error('floor.c does not compile')
  const state = mkdtempSync(process.getuid() === 0 ? '/run/caisson-floor-' : join(work, 'state-'))
  const child = spawn(program, [join(bundle, 'rootfs'), state], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  process.on('exit', () => [work, state].forEach((path) => rmSync(path, { recursive: true, force: true })))
  const start = async () => {
    child.stdin.write('\n')
    const { value, done } = await lines.next()
    if (done) throw new Error('floor ended early')
    return Number(value) / 1000
  }
  return { start, close: () => child.stdin.end() }
}
