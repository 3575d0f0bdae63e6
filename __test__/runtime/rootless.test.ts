import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, chownSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { missing } from '../fixtures/needs.ts'
import { checkout, nextLine, program } from '../fixtures/program.ts'
import { makeRootfs, scratch } from '../fixtures/rootfs.ts'

const UID = 65534 // no subordinate ids, no home

/** The ordinary user of this process, or uid 65534 where this process is root. */
const ids = process.geteuid?.() === 0 ? { uid: UID, gid: UID } : {}

function obstacle(): string | undefined {
  const reason = missing('userns')
  if (reason) return reason
  const command = ['-c', `cd ${checkout} && test -r package.json`]
  if (spawnSync('sh', command, ids).status !== 0) return 'the checkout cannot be read by an ordinary user'
  return undefined
}

const reason = obstacle()
if (reason) console.error(`skipped: rootless: ${reason}`)
const rootless = reason ? test.skip : test

function folderOfUser(): string {
  const folder = scratch('rootless')
  makeRootfs(join(folder, 'rootfs'))
  mkdirSync(join(folder, 'run'))
  for (const path of [folder, join(folder, 'run')]) {
    if (ids.uid !== undefined) chownSync(path, UID, UID)
    chmodSync(path, 0o755)
  }
  return folder
}

rootless('an ordinary user runs a container as root of a user namespace', async (t) => {
  const folder = folderOfUser()
  const running = program(
    `
import { run, Runtime } from 'caisson'
const line = 'id -u; hostname; echo $$; cat /proc/self/uid_map; exit 3'
const source = { rootfs: ${JSON.stringify(join(folder, 'rootfs'))} }
const result = await run(source, ['sh', '-c', line], { reject: false, hostname: 'mine' })
console.log(JSON.stringify([result.stdout.split(/\\s+/), result.exitCode, process.geteuid(), new Runtime().root]))
console.log(JSON.stringify(await new Runtime().list()))
`,
    { ...ids, env: { XDG_RUNTIME_DIR: join(folder, 'run'), TMPDIR: folder, HOME: folder } },
  )
  const [words, exitCode, euid, root] = JSON.parse(await nextLine(running)) as [
    string[],
    number,
    number,
    string,
  ]
  t.deepEqual(words, ['0', 'mine', '1', '0', String(euid), '1', ''])
  t.is(exitCode, 3)
  t.is(root, join(folder, 'run/caisson'))
  t.is(await nextLine(running), '[]')
  t.is((await running.ended).code, 0)
})

rootless('an id that is not mapped is refused, and the error says where there are more', async (t) => {
  const folder = folderOfUser()
  const running = program(
    `
import { Runtime } from 'caisson'
const runtime = new Runtime()
const rootfs = ${JSON.stringify(join(folder, 'rootfs'))}
const { code, hint, message } = await runtime.run({ rootfs }, ['id'], { user: 1000 }).catch((error) => error)
console.log(JSON.stringify([code, hint, message.split(hint).length]))
`,
    { ...ids, env: { XDG_RUNTIME_DIR: join(folder, 'run'), TMPDIR: folder, HOME: folder } },
  )
  const [code, hint, pieces] = JSON.parse(await nextLine(running)) as [string, string, number]
  t.is(code, 'ERR_INVALID_SPEC')
  t.regex(hint, /idMappings: 'subordinate'/)
  t.is(pieces, 2, 'the hint is there once')
  t.is((await running.ended).code, 0)
})

rootless(
  'an ordinary user creates, starts, kills and deletes, and nothing outlives the process',
  async (t) => {
    const folder = folderOfUser()
    const running = program(
      `
import { Runtime } from 'caisson'
const runtime = new Runtime()
const options = { rootfs: ${JSON.stringify(join(folder, 'rootfs'))}, stdio: 'ignore' } as const
const one = await runtime.create('one', { ...options, args: ['sleep', '60'] })
await one.start()
await one.kill('SIGKILL')
console.log(JSON.stringify(await one.wait()))
await one.delete()
const two = await runtime.create('two', { ...options, args: ['sleep', '600'] })
await two.start()
console.log(two.pid)
`,
      { ...ids, env: { XDG_RUNTIME_DIR: join(folder, 'run'), TMPDIR: folder, HOME: folder } },
    )
    t.is(await nextLine(running), '{"exitCode":null,"signal":"SIGKILL","oomKilled":false}')
    const pid = Number(await nextLine(running))
    t.true(pid > 0)
    running.child.kill('SIGKILL')
    await running.ended
    const { until } = await import('../fixtures/until.ts')
    const { startTimeOf } = await import('../../ts/runtime/lifecycle/owner.ts')
    await until(() => startTimeOf(pid) === undefined, 'the container has ended with its owner')
  },
)
