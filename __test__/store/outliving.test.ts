/** Files made for one container without an overlay, after the process that made them has ended. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Runtime, type CaissonError } from '../../ts/index.ts'
import { needs } from '../fixtures/needs.ts'
import { nextLine, program } from '../fixtures/program.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { until } from '../fixtures/until.ts'
import { makeImage, names, storeRoot } from './images.ts'

const privileged = needs('root', 'busybox')

interface Place {
  root: string
  store: string
  id: string
  /** Where the directory of the container is. */
  made: () => string[]
}

let serial = 0

function place(id: string, source: string): Place {
  const [root, store] = [join(scratch('state'), 'run'), storeRoot()]
  const made = (): string[] => (source === 'host' ? names(root, '.bundles') : names(store, 'containers'))
  return { root, store, id: `${id}-${process.pid}-${serial++}`, made }
}

/** A process that makes a sleeping container, prints its pid, and ends or waits. */
async function maker({ root, store, id }: Place, options: object, wait: boolean) {
  const running = program(`
import { Runtime } from 'caisson'
const runtime = new Runtime({ root: ${JSON.stringify(root)}, store: ${JSON.stringify(store)} })
const container = await runtime.create(${JSON.stringify(id)}, {
  args: ['sleep', '600'], stdio: 'ignore', ...${JSON.stringify(options)} })
await container.start()
console.log(container.pid)
${wait ? 'await container.wait()' : ''}
`)
  return { running, pid: Number(await nextLine(running)) }
}

for (const [name, source] of [
  ['the host', 'host'],
  ['a copy', makeImage()],
] as const) {
  const options = source === 'host' ? { image: source } : { image: source, layering: 'copy' }

  privileged(`${name}: a detached container keeps its files until it is deleted`, async (t) => {
    const here = place('outliving', source)
    const { running, pid } = await maker(here, { ...options, detached: true }, false)
    t.is((await running.ended).code, 0)
    const files = (): string[] => readdirSync(`/proc/${pid}/root/etc`)
    const before = files()
    t.true(before.includes('passwd'))
    const runtime = new Runtime({ root: here.root, store: here.store })
    await runtime.run(source, ['true'], source === 'host' ? {} : { layering: 'copy' })
    t.deepEqual(files(), before)
    t.is(here.made().length, 1)
    t.deepEqual(
      (await runtime.list()).map(({ id }) => id),
      [here.id],
    )
    await (await runtime.get(here.id)).delete({ force: true })
    t.deepEqual(here.made(), [])
  })

  privileged(`${name}: the leftovers of a killed process go with the next container`, async (t) => {
    const here = place('killed', source)
    const { running } = await maker(here, options, true)
    running.child.kill('SIGKILL')
    await running.ended
    await until(() => !existsSync(join(here.root, here.id)), 'the guard has cleaned up')
    t.is(here.made().length, 1)
    const runtime = new Runtime({ root: here.root, store: here.store })
    await runtime.run(source, ['true'], source === 'host' ? {} : { layering: 'copy' })
    t.deepEqual(here.made(), [])
  })
}

/** Files that this process has open there: other tests run meanwhile. */
function openBelow(folder: string): string[] {
  const opened = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      return [] // the descriptor of the listing itself
    }
  })
  return opened.filter((path) => path.startsWith(`${folder}/`))
}

privileged('a full disk and an invalid size leave no directory', async (t) => {
  const store = storeRoot()
  mkdirSync(store)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', store])
  t.is(mounted.status, 0, String(mounted.stderr))
  try {
    const runtime = new Runtime({ root: join(scratch('state'), 'run'), store })
    const image = makeImage()
    await runtime.run(image, ['true'])
    const create = (options: object): Promise<unknown> =>
      runtime.create(`full-${process.pid}`, { image, args: ['true'], detached: true, ...options })
    await t.throwsAsync(create({ writable: 'tmpfs', writableSize: 'much' }), { code: 'ERR_INVALID_OPTION' })
    t.not(spawnSync('dd', ['if=/dev/zero', `of=${store}/filling`, 'bs=1M']).status, 0)
    const full = await t.throwsAsync<CaissonError>(create({}), { code: 'ERR_SYSCALL' })
    t.is(full?.errno, 'ENOSPC')
    t.deepEqual(names(store, 'containers'), [])
    t.deepEqual(openBelow(store), [])
  } finally {
    spawnSync('umount', [store])
  }
})
