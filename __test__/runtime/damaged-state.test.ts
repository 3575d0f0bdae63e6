/** Truncated, empty, missing state files and other versions: `list` names them, a forced delete ends and removes. */
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Runtime, type Container } from '../../ts/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import { needs } from '../fixtures/needs.ts'
import { nextLine, program } from '../fixtures/program.ts'
import { remains } from '../fixtures/remains.ts'
import { scratch } from '../fixtures/rootfs.ts'

const privileged = needs('root', 'cgroup')
const root = join(scratch('state'), 'root')
const runtime = new Runtime({ root })
let serial = 0

/** A running container of another process. */
async function running(): Promise<{ id: string; pid: number; found: () => Promise<Container> }> {
  const id = `damaged-${process.pid}-${serial++}`
  const path = bundle({ args: ['sleep', '600'] })
  const creator = program(`
import { Runtime } from 'caisson'
const options = { bundle: ${JSON.stringify(path)}, stdio: 'ignore', detached: true } as const
const container = await new Runtime({ root: ${JSON.stringify(root)} }).create(${JSON.stringify(id)}, options)
await container.start()
console.log(container.pid)
`)
  const pid = Number(await nextLine(creator))
  await creator.ended
  return { id, pid, found: () => runtime.get(id) }
}

const verbs = (container: Container): (() => Promise<unknown>)[] => [
  () => container.state(),
  () => container.kill(),
  () => container.start(),
  () => container.delete(),
]

const damages: Record<string, (directory: string) => void> = {
  emptied: (directory) => truncateSync(join(directory, 'state.json'), 0),
  cut: (directory) => truncateSync(join(directory, 'state.json'), 100),
  removed: (directory) => rmSync(join(directory, 'state.json')),
  'of another shape': (directory) => writeFileSync(join(directory, 'state.json'), '{"version":2,"id":[]}'),
  'cut, with its cleanup record': (directory) => {
    truncateSync(join(directory, 'state.json'), 100)
    truncateSync(join(directory, 'cleanup.json'), 10)
  },
  'removed, with its cleanup record': (directory) => {
    rmSync(join(directory, 'state.json'))
    rmSync(join(directory, 'cleanup.json'))
  },
}

for (const [how, damage] of Object.entries(damages)) {
  privileged(
    `a running container whose state file is ${how} is listed, and ended by a forced delete`,
    async (t) => {
      const { id, found } = await running()
      const file = join(root, id, 'state.json')
      damage(join(root, id))
      const listed = (await runtime.list()).find((state) => state.id === id)
      // An empty directory looks like a container that another process is about to make.
      t.is(
        listed?.status,
        existsSync(file) || existsSync(join(root, id, 'cleanup.json')) ? 'damaged' : 'creating',
      )
      const container = await found()
      if (listed?.status === 'damaged') {
        t.truthy(listed.problem)
        for (const attempt of verbs(container)) await t.throwsAsync(attempt, { code: 'ERR_STATE_DAMAGED' })
      }
      await container.delete({ force: true })
      const left = remains(root, id)
      t.deepEqual([left.processes, left.cgroups, left.directories], [[], [], []])
    },
  )
}

privileged('a state of a later version is refused by name, also by a forced delete', async (t) => {
  const { id, pid, found } = await running()
  const files = ['state.json', 'cleanup.json'].map((name) => join(root, id, name))
  const whole = files.map((file) => readFileSync(file, 'utf8'))
  for (const [index, file] of files.entries())
    writeFileSync(file, whole[index]!.replace('"version":2', '"version":99'))
  const container = await found()
  for (const attempt of [...verbs(container), () => container.delete({ force: true })])
    await t.throwsAsync(attempt, { code: 'ERR_STATE_VERSION', message: /unsupported state version 99 in / })
  t.is((await runtime.list()).find((state) => state.id === id)?.status, 'damaged')
  t.true(existsSync(`/proc/${pid}`))
  for (const [index, file] of files.entries()) writeFileSync(file, whole[index]!)
  await container.delete({ force: true })
})

privileged('a state of the version before is read, and its container deleted', async (t) => {
  const { id, found } = await running()
  const file = join(root, id, 'state.json')
  writeFileSync(file, readFileSync(file, 'utf8').replace('"version":2', '"version":1'))
  rmSync(join(root, id, 'cleanup.json'))
  const container = await found()
  t.is((await container.state()).status, 'running')
  await container.delete({ force: true })
  const left = remains(root, id)
  t.deepEqual([left.processes, left.cgroups, left.directories], [[], [], []])
})
