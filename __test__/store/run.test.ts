import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Image, Layout, Runtime, Store, type RunOptions } from '../../ts/index.ts'
import { needs } from '../fixtures/needs.ts'
import { nextLine, program } from '../fixtures/program.ts'
import { remains } from '../fixtures/remains.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { until } from '../fixtures/until.ts'
import { makeImage, names, storeRoot } from './images.ts'

const privileged = needs('root', 'busybox')
const newStore = (): Store => new Store({ root: storeRoot(), durability: 'none' })
const warnings: string[] = []
const onWarning = (message: string): void => void warnings.push(message)
const newRuntime = (store: Store | string): Runtime =>
  new Runtime({ root: join(scratch('state'), 'run'), store, onWarning })
const sh = (line: string): string[] => ['sh', '-c', line]

const look =
  'stat -c "%n %a %u:%g" / /usr /usr/lib /usr/lib/b /original /gone; ls /opaque /opaque/sub /usr/lib'
const expected = [
  '/ 750 0:0',
  '/usr 711 0:0',
  '/usr/lib 2755 3:4',
  '/usr/lib/b 644 0:0',
  '/original 4755 0:0',
  '/gone 755 0:0',
]

for (const options of [{}, { writable: 'tmpfs' }, { layering: 'copy' }] as RunOptions[]) {
  privileged(
    `a container sees the merged layers and writes for itself: ${JSON.stringify(options)}`,
    async (t) => {
      const store = newStore()
      const runtime = newRuntime(store)
      const image = await Image.open(makeImage())
      const { stdout } = await runtime.run(image, sh(look), options)
      const lines = stdout.split('\n')
      t.deepEqual(lines.slice(0, 6), expected)
      t.is(lines.slice(6).join(' '), '/opaque: new sub  /opaque/sub:  /usr/lib: b c ')
      await runtime.run(
        image,
        sh('echo mine > /original; rm -r /usr/lib; mkdir /usr/lib; touch /new'),
        options,
      )
      t.is((await runtime.run(image, sh('cat /original; ls /usr/lib'), options)).stdout, 'originalb\nc\n')
      t.deepEqual(names(store.root, 'containers'), [])
      t.true((await store.verify()).sound)
    },
  )
}

privileged('a reference means what its layout says at that moment', async (t) => {
  const store = newStore()
  const runtime = newRuntime(store)
  const reference = makeImage()
  const layout = await Layout.open(reference.slice('oci:'.length, -':test'.length))
  const said = async (): Promise<string> =>
    (await runtime.run(reference, sh('echo $WHICH'), { layering: 'overlay' })).stdout.trim()
  t.is(await said(), '')
  t.is(await said(), '')
  await Image.build({ from: reference, layout, tag: 'test', config: { config: { Env: ['WHICH=second'] } } })
  t.is(await said(), 'second')
  await layout.untag('test')
  await t.throwsAsync(said, { code: 'ERR_IMAGE_NOT_FOUND' })
})

privileged('owners are right where a user namespace maps them, and nothing of it is on disk', async (t) => {
  const store = newStore()
  const runtime = newRuntime(store)
  const options: RunOptions = {
    spec: (spec) => {
      spec.linux!.namespaces!.push({ type: 'user' })
      const map = [{ containerID: 0, hostID: 300_000, size: 65_536 }]
      return { ...spec, linux: { ...spec.linux!, uidMappings: map, gidMappings: map } }
    },
  }
  for (const writable of ['disk', 'tmpfs'] as const) {
    const line = `${look}; touch /made; stat -c "%u %n" /made; cat /proc/self/uid_map`
    const { stdout } = await runtime.run(makeImage(), sh(line), { ...options, writable })
    t.deepEqual(stdout.split('\n').slice(0, 6), expected, writable)
    t.regex(stdout, /^0 \/made$/m)
    t.regex(stdout, /300000/)
  }
  t.true((await store.verify()).sound)
})

privileged('what a container writes to disk is where writableLayer says, until it is deleted', async (t) => {
  const store = newStore()
  const runtime = newRuntime(store)
  const container = await runtime.create(`layer-${process.pid}`, {
    image: makeImage(),
    args: sh('echo data > /data; rm /original; exec sleep 60'),
  })
  const upper = container.writableLayer!
  t.true(upper.startsWith(join(store.root, 'containers')))
  t.is((await runtime.get(container.id)).writableLayer, upper)
  t.is((await container.state()).rootfs, join(runtime.root, container.id, 'rootfs'))
  await container.start()
  await until(
    () => lstatSync(join(upper, 'original'), { throwIfNoEntry: false }) !== undefined,
    'it has written',
  )
  t.is(readFileSync(join(upper, 'data'), 'utf8'), 'data\n')
  await container.delete({ force: true })
  t.false(existsSync(upper))
  const inMemory = await runtime.create(`memory-${process.pid}`, { image: makeImage(), writable: 'tmpfs' })
  t.is(inMemory.writableLayer, undefined)
  await inMemory.delete({ force: true })
})

privileged('a garbage collector beside running containers takes nothing from them', async (t) => {
  const store = newStore()
  const runtime = newRuntime(store)
  const image = await Image.open(makeImage())
  let collecting = true
  const collector = (async () => {
    const other = new Store({ root: store.root, durability: 'none' })
    let removed = 0
    while (collecting) removed += (await other.gc()).snapshots.length
    return removed
  })()
  const worker = async (): Promise<void> => {
    for (let round = 0; round < 15; round++) {
      const { stdout } = await runtime.run(image, sh('cat /original /usr/lib/b /usr/lib/c'))
      t.is(stdout, 'originalbc')
    }
  }
  try {
    await Promise.all([worker(), worker()])
  } finally {
    collecting = false
  }
  t.true((await collector) >= 0)
  t.true((await store.verify()).sound)
})

privileged('a detached container keeps its layers when its creator has ended', async (t) => {
  const store = newStore()
  const state = join(scratch('state'), 'run')
  const id = `detached-${process.pid}`
  const running = program(`
import { Runtime } from 'caisson'
const runtime = new Runtime({ root: ${JSON.stringify(state)}, store: ${JSON.stringify(store.root)} })
const container = await runtime.create(${JSON.stringify(id)}, {
  image: ${JSON.stringify(makeImage())}, args: ['sleep', '600'], stdio: 'ignore', detached: true })
await container.start()
console.log(container.pid)
`)
  t.true(Number(await nextLine(running)) > 0)
  t.is((await running.ended).code, 0)
  t.deepEqual((await store.gc()).snapshots, [])
  t.is(names(store.root, 'containers').length, 1)
  const runtime = new Runtime({ root: state, store })
  await (await runtime.get(id)).delete({ force: true })
  t.deepEqual(names(store.root, 'containers'), [])
  t.true((await store.gc()).snapshots.length > 0)
})

privileged('what a killed process has left in the store goes with the next run', async (t) => {
  const store = newStore()
  const state = join(scratch('state'), 'run')
  const running = program(`
import { Runtime } from 'caisson'
const runtime = new Runtime({ root: ${JSON.stringify(state)}, store: ${JSON.stringify(store.root)} })
const container = await runtime.create('killed-${process.pid}', {
  image: ${JSON.stringify(makeImage())}, args: ['sleep', '600'], stdio: 'ignore' })
await container.start()
console.log(container.pid)
`)
  t.true(Number(await nextLine(running)) > 0)
  running.child.kill('SIGKILL')
  await running.ended
  t.is(names(store.root, 'containers').length, 1)
  await until(() => !existsSync(join(state, `killed-${process.pid}`)), 'the guard has cleaned up')
  await newRuntime(store).run(makeImage(), ['true'])
  t.deepEqual(names(store.root, 'containers'), [])
})

privileged('runs from the store leave no mount, descriptor, lock or directory', async (t) => {
  const store = newStore()
  const runtime = newRuntime(store)
  const image = await Image.open(makeImage())
  const prefix = `store-leak-${process.pid}-`
  const one = async (number: number): Promise<void> => {
    const id = `${prefix}${number}`
    if (number % 5 === 4) {
      await t.throwsAsync(async () => void (await runtime.run(image, ['no-such-program'], { id })), {
        code: 'ERR_EXEC_NOT_FOUND',
      })
    } else await runtime.run(image, ['true'], { id, writable: number % 2 ? 'disk' : 'tmpfs' })
  }
  for (let number = 0; number < 10; number++) await one(number)
  await new Promise((resolve) => setTimeout(resolve, 100))
  const before = remains(runtime.root, prefix)
  for (let number = 10; number < 110; number++) await one(number)
  await new Promise((resolve) => setTimeout(resolve, 100))
  const after = remains(runtime.root, prefix)
  t.deepEqual([after.processes, after.cgroups, after.directories], [[], [], []])
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  t.false(mounts.includes(runtime.root) || mounts.includes(store.root))
  t.true(after.descriptors <= before.descriptors, `${before.descriptors} became ${after.descriptors}`)
  t.deepEqual(names(store.root, 'containers'), [])
  t.true((await store.gc()).snapshots.length > 0)
})
