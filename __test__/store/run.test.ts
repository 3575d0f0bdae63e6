import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, lstatSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Image, Layout, Runtime, Store, type RunOptions } from '../../ts/index.ts'
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import { needs, needsAlone } from '../fixtures/needs.ts'
import { nextLine, program } from '../fixtures/program.ts'
import { remains, type Remains } from '../fixtures/remains.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { readTree } from '../fixtures/tree.ts'
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

privileged('a reference is resolved anew each time', async (t) => {
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
  const map = [{ containerID: 0, hostID: 300_000, size: 65_536 }]
  const options: RunOptions = {
    spec: (spec) => {
      spec.linux!.namespaces!.push({ type: 'user' })
      return { ...spec, linux: { ...spec.linux!, uidMappings: map, gidMappings: map } }
    },
  }
  const ways: RunOptions[] = [{ writable: 'disk' }, { writable: 'tmpfs' }, { layering: 'copy' }]
  for (const way of ways) {
    const line = `${look}; touch /made; stat -c "%u %n" /made /fifo; cat /proc/self/uid_map`
    const { stdout } = await runtime.run(makeImage(), sh(line), { ...options, ...way })
    t.deepEqual(stdout.split('\n').slice(0, 6), expected, JSON.stringify(way))
    t.regex(stdout, /^0 \/made\n0 \/fifo$/m)
    t.regex(stdout, /300000/)
  }
  const idMappings = { uidMappings: map, gidMappings: map }
  const { stdout } = await runtime.run(makeImage(), sh(`${look}; cat /proc/self/gid_map`), { idMappings })
  t.deepEqual(stdout.split('\n').slice(0, 6), expected)
  t.regex(stdout, /300000/)
  const refused = async (): Promise<void> => void (await runtime.run('host', ['true'], { idMappings }))
  await t.throwsAsync(refused, { code: 'ERR_INVALID_OPTION' })
  t.true((await store.verify()).sound)
})

needs(
  'root',
  'busybox',
  'python3',
)('a copy for a user namespace has its owners, set-id programs and capabilities', async (t) => {
  const store = newStore()
  const runtime = newRuntime(store)
  const uidMappings = [{ containerID: 0, hostID: 300_000, size: 1000 }]
  const gidMappings = [{ containerID: 0, hostID: 400_000, size: 1000 }]
  const spec = (given: RuntimeSpec): RuntimeSpec => ({
    ...given,
    linux: {
      ...given.linux,
      namespaces: [...given.linux!.namespaces!, { type: 'user' }],
      uidMappings,
      gidMappings,
    },
  })
  // VFS_CAP_REVISION_2, CAP_NET_RAW permitted.
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex').toString('latin1')
  const file = { name: 'able', content: 'x', uid: 5, gid: 6, mode: 0o6755 }
  const list = 'user::rw-,user:5:r--,group::---,group:7:r--,mask::r--,other::---'
  const image = makeImage([
    [
      { ...file, pax: { 'SCHILY.xattr.security.capability': capability } },
      { name: 'listed', content: 'x', mode: 0o640, pax: { 'SCHILY.acl.access': list } },
    ],
  ])
  await using container = await runtime.create(`shifted-${process.pid}`, {
    image,
    layering: 'copy',
    args: sh('echo done; exec sleep 600'),
    spec,
  })
  const { rootfs } = await container.state()
  const { uid, gid, mode } = statSync(join(rootfs, 'able'))
  t.deepEqual([uid, gid, mode & 0o7777], [300_005, 400_006, 0o6755])
  t.is(statSync(join(rootfs, 'linked')).ino, statSync(join(rootfs, 'original')).ino)
  const tree = readTree(rootfs)
  // VFS_CAP_REVISION_3, with the root of the namespace.
  const kept = `01000003${'00200000'.padEnd(32, '0')}e0930400`
  t.is(tree.get('able')!.xattrs['security.capability'], kept)
  const named = Buffer.from(tree.get('listed')!.xattrs['system.posix_acl_access']!, 'hex')
  t.deepEqual([named.readUInt32LE(16), named.readUInt32LE(32)], [300_005, 400_007])
  const layout = scratch('layout')
  const committed = await container.commit({ layout, tag: 'x', mask: ['dev', 'proc', 'sys'] })
  const { files } = await (await Image.open(image)).diff(committed)
  t.deepEqual(files, [{ path: '', change: 'changed', what: ['time'] }]) // mount points were made in it
  const outside = makeImage([[{ name: 'far', content: '', uid: 5000 }]])
  const failing = async (): Promise<void> =>
    void (await runtime.run(outside, ['true'], { layering: 'copy', spec }))
  await t.throwsAsync(failing, { message: /far/ })
})

needs(
  'root',
  'busybox',
  'python3',
)('the root directory has the attributes of the image', async (t) => {
  const runtime = newRuntime(newStore())
  // Entries of an access list as acl(5) writes them.
  const pax = {
    'SCHILY.xattr.user.note': 'root',
    'SCHILY.acl.default': 'user::rwx,user:7:r-x,group::r-x,mask::rwx,other::---',
  }
  const image = makeImage([[{ name: './', mode: 0o751, uid: 1, gid: 2, pax }]])
  const read = `import os, sys; print({n: os.getxattr(sys.argv[1], n).hex() for n in sorted(os.listxattr(sys.argv[1])) if not n.startswith('trusted')})`
  const seen: string[] = []
  for (const options of [{}, { writable: 'tmpfs' }, { layering: 'copy' }] as RunOptions[]) {
    await using container = await runtime.create(`root-${process.pid}-${seen.length}`, {
      image,
      args: sh('stat -c "%a %u:%g" /; exec sleep 600'),
      ...options,
    })
    const [said] = await Promise.all([once(container.stdout!, 'data'), container.start()])
    const root = `/proc/${container.pid}/root/.`
    seen.push(String(said) + spawnSync('python3', ['-c', read, root], { encoding: 'utf8' }).stdout)
  }
  t.regex(seen[0]!, /^751 1:2\n\{'system.posix_acl_default': '02000000.*', 'user.note': '726f6f74'\}/)
  t.deepEqual(seen, [seen[0], seen[0], seen[0]])
})

privileged('writableLayer holds what a container writes, until the container is deleted', async (t) => {
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

privileged('a process that ends without deleting its containers leaves nothing in the store', async (t) => {
  const store = newStore()
  const running = program(`
import { Runtime } from 'caisson'
const runtime = new Runtime({ root: ${JSON.stringify(join(scratch('state'), 'run'))}, store: ${JSON.stringify(store.root)} })
const container = await runtime.create('forgotten-${process.pid}', {
  image: ${JSON.stringify(makeImage())}, args: ['sleep', '600'], stdio: 'ignore' })
console.log(container.writableLayer)
`)
  t.true((await nextLine(running)).startsWith(store.root))
  t.is((await running.ended).code, 0)
  t.deepEqual(names(store.root, 'containers'), [])
})

privileged('the leftovers of a killed process in the store go with the next run', async (t) => {
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

needsAlone('root', 'busybox')(
  'runs from the store leave no mount, descriptor, lock or directory',
  async (t) => {
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
    const before = remains(runtime.root, prefix)
    for (let number = 10; number < 110; number++) await one(number)
    const seen = (): Remains => remains(runtime.root, prefix)
    await until(() => seen().descriptors <= before.descriptors, 'streams are closed, a turn after their end')
    const after = seen()
    t.deepEqual([after.processes, after.cgroups, after.directories], [[], [], []])
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    t.false(mounts.includes(runtime.root) || mounts.includes(store.root))
    t.deepEqual(names(store.root, 'containers'), [])
    t.true((await store.gc()).snapshots.length > 0)
  },
)
