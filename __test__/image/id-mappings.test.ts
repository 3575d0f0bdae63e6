/** Owners of an image on other ids of the host: set by root, or by an ordinary user through a user namespace. */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { missing, needs } from '../fixtures/needs.ts'
import { checkout, nextLine, program } from '../fixtures/program.ts'
import { readTree } from '../fixtures/tree.ts'
import { Image } from '../../ts/image/index.ts'
import { scratch, tar, writeLayout, type TestEntry } from './fixture.ts'

const capability = '0100000200040000000000000000000000000000'
const capabilities = {
  'LIBARCHIVE.xattr.security.capability': Buffer.from(capability, 'hex').toString('base64'),
}
const list = (user: number, group: number): string =>
  `user::rw-,user:${user}:r--,group::---,group:${group}:r--,mask::r--,other::---`
const lower: TestEntry[] = [
  { name: './', mode: 0o755 },
  { name: 'listed', content: 'x', mode: 0o640, pax: { 'SCHILY.acl.access': list(5, 7) } },
  { name: 'lists/', mode: 0o755, pax: { 'SCHILY.acl.default': list(5, 7) } },
  { name: 'closed/', mode: 0o700, uid: 5, gid: 6, mtime: 11 },
  { name: 'closed/inner/', mode: 0o500, uid: 7, gid: 7 },
  { name: 'closed/inner/suid', content: 'x', mode: 0o4755, uid: 5, gid: 6, mtime: 22 },
  { name: 'closed/soft', type: '2', link: 'inner', uid: 5, gid: 6 },
  { name: 'closed/hard', type: '1', link: 'closed/inner/suid' },
  { name: 'capable', content: 'x', mode: 0o755, uid: 5, gid: 6, pax: capabilities },
  { name: 'roots', content: 'x', mode: 0o755, pax: capabilities },
  { name: 'mine', content: 'x' },
  { name: 'implied/file', content: 'x', uid: 1, gid: 1 },
  { name: 'replaced', content: 'x', uid: 9, gid: 9 },
  { name: 'first', content: 'x', uid: 8, gid: 8 },
  { name: 'real/' },
  { name: 'way', type: '2', link: 'real' },
]
const upper: TestEntry[] = [
  { name: 'replaced', content: 'y' },
  { name: 'second', type: '1', link: 'first' },
  { name: '.wh.first', content: '' },
  { name: 'way/sub/', uid: 5, gid: 6, mode: 0o711 },
  { name: 'way/own', content: 'x', uid: 9, gid: 9 },
]
const top: TestEntry[] = [{ name: 'way', content: 'no link any more' }]

/** The expected tree, with ids of the image. */
const expected: Record<string, [uid: number, gid: number, mode: string]> = {
  '.': [0, 0, '755'],
  capable: [5, 6, '755'],
  closed: [5, 6, '700'],
  'closed/hard': [5, 6, '4755'],
  'closed/inner': [7, 7, '500'],
  'closed/inner/suid': [5, 6, '4755'],
  'closed/soft': [5, 6, '777'],
  implied: [0, 0, '755'],
  'implied/file': [1, 1, '644'],
  listed: [0, 0, '640'],
  lists: [0, 0, '755'],
  mine: [0, 0, '644'],
  real: [0, 0, '755'],
  'real/own': [9, 9, '644'],
  'real/sub': [5, 6, '711'],
  replaced: [0, 0, '644'],
  roots: [0, 0, '755'],
  second: [8, 8, '644'],
  way: [0, 0, '644'],
}

function shown(path: string, toImage: (id: number) => number): Record<string, [number, number, string]> {
  const names = [...readTree(path)].map(([name, { uid, gid, mode }]) => {
    return [name, [toImage(uid), toImage(gid), mode]] as const
  })
  return Object.fromEntries(names) as Record<string, [number, number, string]>
}

/** Users and groups that the lists of a tree name. */
function named(path: string): number[][] {
  const tree = readTree(path)
  return ['listed', 'lists'].flatMap((name) =>
    Object.entries(tree.get(name)!.xattrs)
      .filter(([attribute]) => attribute.startsWith('system.posix_acl_'))
      .map(([, hex]) => {
        const value = Buffer.from(hex, 'hex')
        const offsets = Array.from({ length: (value.length - 4) / 8 }, (_, index) => 4 + 8 * index)
        const ids = offsets.filter((at) => [2, 8].includes(value.readUInt16LE(at)))
        return ids.map((at) => value.readUInt32LE(at + 4))
      }),
  )
}

function layout(base: string): string {
  writeLayout(join(base, 'images'), [tar(lower), tar(upper), tar(top)])
  return `oci:${base}/images:test`
}

/** Version 3: counts where the root of the namespace is `root`. */
function version3(root: number): string {
  const id = Buffer.alloc(4)
  id.writeUInt32LE(root)
  return capability.replace(/^01000002/, '01000003') + id.toString('hex')
}

needs('root', 'python3')("root gives files to the host ids that the image's ids map to", async (t) => {
  const base = scratch(t)
  const image = await Image.open(layout(base))
  const mappings = [
    { containerID: 0, hostID: 300_000, size: 6 },
    { containerID: 6, hostID: 400_006, size: 10 },
  ]
  const idMappings = { uidMappings: mappings, gidMappings: mappings }
  const { skipped } = await image.unpack(join(base, 'bundle'), { idMappings })
  t.deepEqual(skipped, [])
  const rootfs = join(base, 'bundle/rootfs')
  t.deepEqual(
    shown(rootfs, (id) => id % 100_000),
    expected,
  )
  t.is(readTree(rootfs).get('closed')?.uid, 300_005)
  t.is(readTree(rootfs).get('closed')?.gid, 400_006)
  t.is(readTree(rootfs).get('capable')?.xattrs['security.capability'], version3(300_000))
  t.is(readTree(rootfs).get('closed')?.mtime, '11000000000')
  t.deepEqual(named(rootfs), [
    [300_005, 400_007],
    [300_005, 400_007],
  ])
  const map = mappings.map(({ containerID, hostID, size }) => ({
    container: containerID,
    host: hostID,
    size,
  }))
  const { layers } = await Image.buildWithResult({
    from: image,
    layout: join(base, 'images'),
    layers: [{ directory: rootfs, uidMap: map, gidMap: map }],
  })
  t.deepEqual(layers[0]!.changes, [], 'read with the same maps it is the image again')
  const { linux } = JSON.parse(readFileSync(join(base, 'bundle/config.json'), 'utf8')) as {
    linux: { uidMappings: object; namespaces: { type: string }[] }
  }
  t.deepEqual(linux.uidMappings, mappings)
  t.true(linux.namespaces.some(({ type }) => type === 'user'))

  const few = { uidMappings: [mappings[0]!], gidMappings: [mappings[0]!] }
  await t.throwsAsync(image.unpackRootfs(join(base, 'few'), { idMappings: few }), {
    code: 'ERR_SYSCALL',
    message: /EINVAL/,
  } as never)
  t.deepEqual(readdirSync(base).sort(), ['bundle', 'images'])
  const some = await image.unpackRootfs(join(base, 'some'), { idMappings: few, owners: 'skip' })
  t.deepEqual(
    some.skipped.filter(({ what }) => what !== 'owner').map(({ path, what }) => [path, what]),
    [
      ['listed', 'xattr'],
      ['lists/', 'xattr'],
    ],
  )
  t.true(some.skippedCount > 2)
  t.deepEqual(named(join(base, 'some')), [])
})

needs('root', 'python3')(
  'a file with the inode number of a directory that it replaced has its own owner',
  async (t) => {
    const base = scratch(t)
    const names = Array.from({ length: 20 }, (_, index) => `d${index}`)
    writeLayout(join(base, 'images'), [
      tar(names.map((name) => ({ name: `${name}/`, uid: 1, gid: 1 }))),
      tar(names.map((name) => ({ name, content: 'x', uid: 2, gid: 3 }))),
    ])
    const image = await Image.open(`oci:${base}/images:test`)
    const mappings = [{ containerID: 0, hostID: 300_000, size: 6 }]
    const rootfs = join(base, 'rootfs')
    await image.unpackRootfs(rootfs, { idMappings: { uidMappings: mappings, gidMappings: mappings } })
    const tree = readTree(rootfs)
    t.deepEqual(
      names.map((name) => [tree.get(name)?.uid, tree.get(name)?.gid]),
      names.map(() => [300_002, 300_003]),
    )
  },
)

function obstacle(): string | undefined {
  if (process.geteuid?.() !== 0) return 'needs root, to become another user'
  const reason = missing('userns', 'python3')
  if (reason) return reason
  if (spawnSync('newuidmap').error) return 'newuidmap is not installed'
  if (spawnSync('id', ['caisson-test']).status !== 0)
    return 'there is no user caisson-test (scripts/install-test-tools)'
  const reads = spawnSync('setpriv', [
    '--reuid=caisson-test',
    '--clear-groups',
    'test',
    '-r',
    `${checkout}/package.json`,
  ])
  return reads.status === 0 ? undefined : 'the checkout cannot be read by an ordinary user'
}

const reason = obstacle()
if (reason) console.error(`skipped: subordinate ids: ${reason}`)
const subordinate = reason ? test.skip : test

subordinate('an ordinary user gives files to subordinate ids, runs the image, and removes it', async (t) => {
  const base = scratch(t)
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(spawnSync('id', [flag, 'caisson-test'], { encoding: 'utf8' }).stdout),
  ) as [number, number]
  const reference = layout(base)
  const home = join(base, 'home')
  mkdirSync(home)
  chmodSync(base, 0o755)
  chownSync(home, uid, gid)
  const as = async (script: string): Promise<unknown> => {
    const running = program(
      `import { Image, removeUnpacked } from 'caisson'
       const image = await Image.open(${JSON.stringify(reference)})
       const idMappings = 'subordinate'
       const say = (value) => console.log(JSON.stringify(value))
       ${script}`,
      { uid, gid, env: { HOME: home, XDG_RUNTIME_DIR: home, TMPDIR: home } },
    )
    const line = await nextLine(running)
    const { code, stderr } = await running.ended
    t.is(code, 0, stderr)
    return JSON.parse(line) as unknown
  }
  const unpacked = await as(`
    const { skipped } = await image.unpack('${home}/bundle', { idMappings, args: ['true'] })
    say(skipped)`)
  t.deepEqual(unpacked, [])
  const line = readFileSync('/etc/subuid', 'utf8')
    .split('\n')
    .find((text) => text.startsWith('caisson-test:'))!
  const first = Number(line.split(':')[1])
  const rootfs = join(home, 'bundle/rootfs')
  t.deepEqual(
    shown(rootfs, (id) => (id === uid ? 0 : id - first + 1)),
    expected,
  )
  const tree = readTree(rootfs)
  for (const name of ['capable', 'roots'])
    t.is(tree.get(name)?.xattrs['security.capability'], version3(uid), name)
  t.deepEqual(named(rootfs), [
    [first + 4, first + 6],
    [first + 4, first + 6],
  ])
  t.is(tree.get('closed')?.mtime, '11000000000')
  t.is(tree.get('closed/inner/suid')?.mtime, '22000000000')

  const errors = await as(`
    const few = [{ containerID: 0, hostID: process.getuid(), size: 1 }]
    const codes = []
    for (const options of [{ idMappings: { uidMappings: few, gidMappings: few } }, { idMappings, limits: { entries: 13 } }])
      await image.unpackRootfs('${home}/other', options).catch((error) => codes.push(error.code))
    say(codes)`)
  t.deepEqual(errors, ['ERR_SYSCALL', 'ERR_LIMIT_EXCEEDED'])
  t.deepEqual(readdirSync(home), ['bundle'], 'a failure leaves nothing')

  const removed = await as(`
    const denied = await removeUnpacked('${home}/bundle').then(() => 'removed', (error) => error.errno)
    await removeUnpacked('${home}/bundle', { idMappings })
    say(denied)`)
  t.is(removed, 'EPERM')
  t.false(existsSync(join(home, 'bundle')))
})
