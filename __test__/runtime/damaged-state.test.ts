/** Truncated, empty, missing state files and other versions: `list` names them, a forced delete ends and removes. */
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Runtime, type Container } from '../../ts/index.ts'
import { bundle, type BundleOptions } from '../fixtures/bundle.ts'
import { needs } from '../fixtures/needs.ts'
import { nextLine, program } from '../fixtures/program.ts'
import { remains } from '../fixtures/remains.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { until } from '../fixtures/until.ts'

const privileged = needs('root', 'cgroup')
const root = join(scratch('state'), 'root')
const runtime = new Runtime({ root })
let serial = 0

interface Foreign {
  id: string
  pid: number
  found: () => Promise<Container>
}

/** A running container of another process. */
const running = (): Promise<Foreign> => made('await container.start()')

async function made(then = '', edit?: BundleOptions['edit']): Promise<Foreign> {
  const id = `damaged-${process.pid}-${String(serial++).padStart(3, '0')}`
  const path = bundle({ args: ['sleep', '600'], ...(edit && { edit }) })
  const creator = program(`
import { Runtime } from 'caisson'
const options = { bundle: ${JSON.stringify(path)}, stdio: 'ignore', detached: true } as const
const container = await new Runtime({ root: ${JSON.stringify(root)} }).create(${JSON.stringify(id)}, options)
${then}
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

for (const file of ['state.json', 'config.json']) {
  privileged(`a created container whose ${file} is damaged is not started without its hooks`, async (t) => {
    const canary = join(scratch('hooks'), 'canary')
    const { id, pid, found } = await made('', (spec) => {
      spec.hooks = { poststart: [{ path: '/bin/sh', args: ['sh', '-c', `echo ran > ${canary}`] }] }
    })
    const whole = readFileSync(join(root, id, file))
    truncateSync(join(root, id, file), 100)
    const container = await found()
    await t.throwsAsync(container.start(), { code: 'ERR_STATE_DAMAGED' })
    t.is(readFileSync(`/proc/${pid}/comm`, 'latin1'), 'caisson-init\n')
    writeFileSync(join(root, id, file), whole)
    await container.start()
    t.is(readFileSync(canary, 'utf8'), 'ran\n')
    await container.delete({ force: true })
  })
}

privileged('a damaged config.json stops a delete, and warns of hooks at a forced one', async (t) => {
  const warnings: string[] = []
  const { id, found } = await running()
  truncateSync(join(root, id, 'config.json'), 100)
  const container = await found()
  await container.kill('SIGKILL')
  await until(() => !existsSync(`/proc/${container.pid}/cmdline`), 'the process has ended')
  await t.throwsAsync(container.delete(), { code: 'ERR_STATE_DAMAGED' })
  const warner = new Runtime({ root, onWarning: (message) => warnings.push(message) })
  await (await warner.get(id)).delete({ force: true })
  t.regex(warnings.join(), /^poststop hooks were not run: damaged configuration of container /)
})

const others: Record<string, (state: Record<string, unknown>) => unknown> = {
  'a pid that does not exist': (state) => (state['pid'] = 2 ** 22 - 1),
  'a living process': (state) => (state['pid'] = process.pid),
  'no process': (state) => (state['pid'] = null),
}
for (const [what, edit] of Object.entries(others)) {
  privileged(`a delete of a running container whose state names ${what} settles`, async (t) => {
    const id = `damaged-${process.pid}-${String(serial++).padStart(3, '0')}`
    const container = await runtime.create(id, {
      bundle: bundle({ args: ['sleep', '600'] }),
      stdio: 'ignore',
    })
    await container.start()
    const file = join(root, id, 'state.json')
    const state = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    edit(state)
    writeFileSync(file, JSON.stringify(state))
    const deleted = container.delete().then(
      () => 'deleted',
      (error: Error) => error.message,
    )
    t.is(
      await Promise.race([deleted, sleep(10_000, 'pending')]),
      `cannot delete container ${id} that is not stopped: running`,
    )
    t.true(existsSync(`/proc/${container.pid}`))
    await container.delete({ force: true })
    const left = remains(root, id)
    t.deepEqual([left.processes, left.cgroups, left.directories], [[], [], []])
  })
}

privileged('a state file has a limit, which a create respects', async (t) => {
  const id = `damaged-${process.pid}-${String(serial++).padStart(3, '0')}`
  const huge = bundle({ edit: (spec) => void (spec.annotations = { 'org.example': 'x'.repeat(2 ** 20) }) })
  await t.throwsAsync(runtime.create(id, { bundle: huge }), {
    code: 'ERR_LIMIT_EXCEEDED',
    message: /state\.json: \d+ bytes exceed the limit of 1048576 \(shorten the annotations/,
  })
  t.false(existsSync(join(root, id)))
  const most = bundle({
    edit: (spec) => void (spec.annotations = { 'org.example': 'x'.repeat(2 ** 20 - 4096) }),
  })
  const container = await runtime.create(id, { bundle: most, stdio: 'ignore' })
  t.is((await container.state()).annotations['org.example']!.length, 2 ** 20 - 4096)
  writeFileSync(join(root, id, 'state.json'), Buffer.alloc(2 ** 20 + 1, ' '))
  await t.throwsAsync(container.state(), { code: 'ERR_STATE_DAMAGED', message: /too large/ })
  await container.delete({ force: true })
})
