/** Images of a container's changes: unpacked again, they equal what the container saw. */
import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { Image, Layout, Runtime, Store } from '../../ts/index.ts'
import { needs } from '../fixtures/needs.ts'
import { nextLine, program } from '../fixtures/program.ts'
import { makeRootfs, scratch } from '../fixtures/rootfs.ts'
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import { readTree, treeDifferences, type Tree } from '../fixtures/tree.ts'
import { asEach, type Answer, type User } from '../image/command/user.ts'
import type { TestEntry } from '../image/fixture.ts'
import { layers, makeImage, storeRoot } from './images.ts'

const privileged = needs('root', 'busybox')
const sh = (line: string): string[] => ['sh', '-c', line]

const more: TestEntry[] = [
  { name: 'dev/' },
  { name: 'replaced/' },
  { name: 'replaced/a', content: 'a' },
  { name: 'replaced/a-b', content: 'a-b' },
  { name: 'replaced/sub/' },
  { name: 'replaced/sub/x', content: 'x' },
  { name: 'replaced/sub/kept', content: 'old' },
  { name: 'replaced/deep/' },
  { name: 'replaced/deep/y', content: 'y' },
  { name: 'becomes-file/' },
  { name: 'becomes-file/z', content: 'z' },
  { name: 'becomes-directory', content: 'file' },
  { name: 'owned', content: 'owned', uid: 33, gid: 34, mode: 0o640 },
  { name: 'same', type: '1', link: 'owned' },
]

const change = `
echo new > /new; busybox chmod 4711 /new; busybox ln /new /new-too; busybox ln /usr/lib/c /usr/lib/c-too
echo more >> /original; busybox chmod 604 /owned; rm /etc/hosts; rm -r /usr/lib/b
rm -r /replaced; mkdir /replaced /replaced/sub; echo kept > /replaced/sub/kept; echo deep > /replaced/deep
rm -r /becomes-file; echo file > /becomes-file; rm /becomes-directory; mkdir /becomes-directory; echo x > /becomes-directory/x
busybox ln -s nowhere /link; busybox mkfifo /pipe; busybox rm /lib; mkdir /lib; echo d > /lib/d
busybox chmod 700 /usr; busybox touch -d @1000000000 /new /replaced /usr
`
const asRoot = 'busybox chown -h 5:6 /usr/lib /link; busybox mknod /null c 1 3; busybox chown 7:8 /original'

/**
 * A sleeping container of another process, after `change` has run in it; commands on stdin act on it.
 */
const source = (user: User, image: string, line: string): string => `
import { createInterface } from 'node:readline'
import { Runtime } from 'caisson'
const runtime = new Runtime({ root: ${JSON.stringify(join(user.folder, 'run'))}, store: ${JSON.stringify(join(user.folder, 'store'))}, onWarning: () => {} })
const container = await runtime.create('changed-' + process.pid, {
  image: ${JSON.stringify(image)}, args: ${JSON.stringify(sh(`${line}\necho done; exec sleep 600`))},
  spec: (spec) => {
    const all = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_MKNOD']
    const capabilities = { bounding: all, permitted: all, effective: all }
    const mounts = spec.mounts!.filter(({ destination }) => destination === '/dev')
    return { ...spec, mounts, process: { ...spec.process!, capabilities } }
  },
})
container.stdout!.once('data', () => console.log(container.pid))
container.stderr!.pipe(process.stderr)
await container.start()
for await (const layout of createInterface({ input: process.stdin })) {
  const image = await container.commit({ layout, tag: 'library', config: { author: 'me' } })
  console.log(image.digest)
}
await container.delete({ force: true })
`

/** Attributes that busybox cannot set. */
function setAttributes(root: string, user: User): void {
  const script = `
import os, sys
root = sys.argv[1]
for name in ('new', 'owned', 'replaced', 'usr', ''): os.setxattr(root + '/' + name, 'user.note', b'one')
if sys.argv[2] == 'root': os.setxattr(root + '/original', 'security.capability', bytes.fromhex('0100000200040000000000000000000000000000'))
os.utime(root + '/', (5, 5))
`
  const { status, stderr } = spawnSync('python3', ['-c', script, root, user.name], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

const options = { wholeSeconds: true, withoutTime: ['.', 'dev', 'gone'] }

/** The runtime's own mounts do not belong to the image. */
function withoutDevices(tree: Tree): Tree {
  return new Map([...tree].filter(([name]) => !name.startsWith('dev/')))
}

asEach(
  'a container becomes an image that unpacks to what it saw',
  async (t, user) => {
    const image = makeImage([more])
    const layout = join(user.folder, 'out')
    user.image('init --layout out')
    const running = program(source(user, image, user.ordinary ? change : change + asRoot), {
      ...user.ids,
      env: { TMPDIR: user.folder, HOME: user.folder },
    })
    let seen: Tree
    let digest: string
    let answer: Answer
    try {
      const pid = await nextLine(running)
      setAttributes(`/proc/${pid}/root/.`, user)
      seen = withoutDevices(readTree(`/proc/${pid}/root/.`, options))
      running.child.stdin!.write(`${layout}\n`)
      digest = await nextLine(running)
      answer = user.run(process.execPath, [
        user.command,
        '--root',
        join(user.folder, 'run'),
        ...`image commit --image out:command --compress zstd changed-${running.child.pid}`.split(' '),
      ])
      t.is(answer.status, 0, answer.stderr)
    } finally {
      running.child.stdin!.end()
      const { code, stderr } = await running.ended
      t.is(code, 0)
      t.is(stderr, '')
    }

    const [library, command] = [
      await Image.open(`oci:${layout}:library`),
      await Image.open(`oci:${layout}:command`),
    ]
    t.is(library.digest, digest)
    t.regex(answer.stdout, new RegExp(command.digest))
    t.is(library.config!.author, 'me')
    t.is(library.manifest.layers.length, layers.length + 3)
    t.is(library.diffIds().at(-1), command.diffIds().at(-1))
    t.is(library.config!.history!.at(-1)!.created_by, 'caisson')
    t.deepEqual((await library.verify()).problems, [])

    user.image('unpack --image out:library bundle')
    const unpacked = readTree(join(user.folder, 'bundle/rootfs'), options)
    for (const { xattrs } of unpacked.values()) delete xattrs['user.rootlesscontainers']
    // Hard links of copied-up files depend on the options of the overlay.
    for (const tree of [unpacked, seen]) delete tree.get('usr/lib/c-too')!.same
    t.deepEqual(treeDifferences(unpacked, seen), [])
    // Two unpackers, as root in any case: the owners that an ordinary user cannot see are compared too.
    const ours = join(scratch('commit'), 'ours')
    await library.unpackRootfs(ours)
    const theirs = umoci(layout, 'library')
    t.deepEqual(treeDifferences(readTree(ours, options), theirs), [])
    t.is(theirs.get('owned')!.uid, 33)
    const names = spawnSync('tar', [
      '-tf',
      join(layout, 'blobs/sha256', library.manifest.layers.at(-1)!.digest.slice(7)),
    ])
    t.notRegex(names.stdout.toString(), /\.wh\.\.wh\./)
    t.regex(names.stdout.toString(), /^replaced\/\.wh\.a$/m)
  },
  'busybox',
  'python3',
  'umoci',
  'userns',
)

function umoci(layout: string, tag: string): Tree {
  const bundle = join(scratch('commit'), 'bundle')
  const { status, stderr } = spawnSync('umoci', ['unpack', '--image', `${layout}:${tag}`, bundle], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return readTree(join(bundle, 'rootfs'), options)
}

privileged('the image of a copy, of a masked change, and without a change', async (t) => {
  const folder = scratch('commit')
  const warnings: string[] = []
  const runtime = new Runtime({
    root: join(folder, 'run'),
    store: storeRoot(),
    onWarning: (text) => void warnings.push(text),
  })
  const image = makeImage([[{ name: 'dev/' }]])
  const spec = (given: RuntimeSpec): RuntimeSpec => ({
    ...given,
    mounts: given.mounts!.filter(({ destination }) => destination === '/dev'),
  })
  for (const layering of ['copy', 'overlay'] as const) {
    const layout = join(folder, layering)
    const args = sh('echo x > /opaque/x; echo y > /etc/y; rm -r /gone; echo done; exec sleep 600')
    const id = `commit-${layering}-${process.pid}`
    await using container = await runtime.create(id, { image, layering, args, spec })
    const untouched = await container.commit({ layout, tag: 'untouched' })
    t.is(untouched.manifest.layers.length, (await Image.open(image)).manifest.layers.length, layering)
    t.deepEqual(warnings.splice(0), ['nothing has changed: no layer was added'])
    const [done] = await Promise.all([once(container.stdout!, 'data'), container.start()])
    t.is(String(done), 'done\n')
    const changed = await container.commit({ layout, tag: 'changed', mask: ['opaque'] })
    const { files } = await untouched.diff(changed)
    const said = files!.filter(({ what }) => what.join() !== 'time').map(({ path }) => path)
    t.deepEqual(said, ['etc/y', 'gone'], layering)
    warnings.splice(0)
  }
})

privileged('a container that cannot become an image is refused with the reason', async (t) => {
  const folder = scratch('commit')
  const store = new Store({ root: storeRoot(), durability: 'none' })
  const runtime = new Runtime({ root: join(folder, 'run'), store, onWarning: () => {} })
  const layout = join(folder, 'out')
  const reference = makeImage()
  const create = (id: string, options: object): ReturnType<Runtime['create']> =>
    runtime.create(`${id}-${process.pid}`, { args: ['true'], ...options })

  await using inMemory = await create('memory', { image: reference, writable: 'tmpfs' })
  await t.throwsAsync(inMemory.commit({ layout }), { code: 'ERR_INVALID_STATE', message: /in memory/ })
  const plain = makeRootfs(join(folder, 'plain'))
  await using bare = await create('bare', { rootfs: plain })
  t.is(bare.image, undefined)
  await t.throwsAsync(bare.commit({ layout }), {
    code: 'ERR_INVALID_STATE',
    message: /not made from an image/,
  })
  for (const wrong of [
    { layout: '' },
    { layout, nonsense: 1 },
    { layout, layers: [] },
    { layout, from: reference },
    { layout, mask: '/a' },
    { layout, rootless: 'yes' },
    { layout, uidMap: [{}] },
    { layout, history: 'x' },
    { layout, tag: 1 },
    { layout, threads: 0 },
    { layout, signal: {} },
    null,
  ]) {
    await t.throwsAsync(bare.commit(wrong as never), { code: 'ERR_INVALID_OPTION' } as never)
    t.false(existsSync(layout), JSON.stringify(wrong))
  }

  const place = reference.slice('oci:'.length, -':test'.length)
  const { digest } = await Image.open(reference)
  await using container = await create('gone', { image: reference })
  t.like(container.image, { digest, transport: 'oci', path: place })
  // Without a tag, and with blobs in three places.
  const copy = await store.import(reference, { name: 'kept' })
  rmSync(place, { recursive: true })
  t.is(
    (await container.commit({ layout, tag: 'from-store' })).manifest.layers.length,
    copy.manifest.layers.length + 1,
  )
  await store.remove('kept')
  await store.gc()
  const elsewhere = { layout: join(folder, 'elsewhere') }
  const error = await t.throwsAsync(container.commit(elsewhere), { code: 'ERR_IMAGE_NOT_FOUND' })
  t.true(error.message.includes(digest) && error.message.includes(place), error.message)
  writeFileSync(join(container.writableLayer!, 'late'), '')
  chownSync(join(container.writableLayer!, 'late'), 9, 9)
  const empty = await Layout.create(elsewhere.layout)
  t.deepEqual((await empty.index()).manifests, [])
})
