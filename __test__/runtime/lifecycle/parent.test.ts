/** What a container keeps alive, and what ends it. */
import { join } from 'node:path'
import test from 'ava'
import { Runtime } from '../../../ts/index.ts'
import { startTimeOf } from '../../../ts/runtime/lifecycle/owner.ts'
import { needs } from '../../fixtures/needs.ts'
import { nextLine, program } from '../../fixtures/program.ts'
import { remains } from '../../fixtures/remains.ts'
import { rootfs, scratch } from '../../fixtures/rootfs.ts'
import { until } from '../../fixtures/until.ts'

const root = join(scratch('state'), 'root')
const able = needs(process.geteuid?.() === 0 ? 'root' : 'userns')
const left = (id: string): unknown[] => {
  const { processes, cgroups, directories } = remains(root, id)
  return [...processes, ...cgroups, ...directories]
}
const start = (id: string, options: string): string => `
  import { Runtime } from 'caisson'
  const runtime = new Runtime({ root: ${JSON.stringify(root)} })
  const child = runtime.run({ rootfs: ${JSON.stringify(rootfs())} }, ['sh', '-c', 'echo runs; sleep 60'],
    { id: ${JSON.stringify(id)}, ${options} })
  child.catch(() => {})
`

for (const [when, unref] of [
  ['at once', 'child.unref(); await child.started'],
  ['later', 'await child.started; child.unref()'],
  ['after ref()', 'child.unref(); child.ref(); await child.started; child.unref()'],
]) {
  able(`unref() ${when}: Node ends, and the program with it`, async (t) => {
    const id = `unref-${process.pid}-${when!.replaceAll(/\W/g, '-')}`
    const { child, ended } = program(`${start(id, 'timeout: 50_000')}; ${unref}`)
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
    const { code, stderr } = await ended
    clearTimeout(timer)
    t.is(code, 0, stderr)
    await until(() => left(id).length === 0, 'nothing is left of the container')
  })
}

able('without it Node stays', async (t) => {
  const id = `ref-${process.pid}`
  const runs = program(
    `${start(id, '')}; child.unref(); child.ref(); await child.started; console.log('started')`,
  )
  t.is(await nextLine(runs), 'started')
  await new Promise((resolve) => setTimeout(resolve, 500))
  t.is(runs.child.exitCode, null)
  runs.child.kill('SIGKILL')
  await runs.ended
  await until(() => left(id).length === 0, 'nothing is left of the container')
})

able('a container ends with the parent that it names, and its worker with it', async (t) => {
  const id = `parent-${process.pid}`
  const worker = `${start(id, 'parent: process.ppid')}; await child.started; console.log(process.pid)`
  // The runner starts a worker as test runners do, and is killed.
  const runner = program(`
    import { spawn } from 'node:child_process'
    spawn(process.execPath, ['--import=@oxc-node/core/register', '--no-warnings', '--input-type=module', '-e',
      ${JSON.stringify(worker)}], { stdio: ['ignore', 'inherit', 'inherit'] })
    setInterval(() => {}, 1000)
  `)
  const pid = Number(await nextLine(runner))
  const startTime = startTimeOf(pid)
  t.not(startTime, undefined)
  t.true(left(id).length > 0)
  runner.child.kill('SIGKILL')
  await until(() => startTimeOf(pid) !== startTime, 'the worker has ended')
  await until(() => left(id).length === 0, 'nothing is left of the container')
})

test('an invalid parent is refused, and so is one of a detached container', async (t) => {
  const runtime = new Runtime({ root })
  for (const options of [{ parent: 2 ** 22 + 1 }, { parent: process.ppid, detached: true }, { parent: 0 }]) {
    const run = runtime.run({ rootfs: rootfs() }, ['true'], options)
    await t.throwsAsync(async () => void (await run), { code: 'ERR_INVALID_OPTION', message: /parent/ })
  }
})
