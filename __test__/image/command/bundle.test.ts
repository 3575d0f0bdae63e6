/** `image unpack`, `--rootfs-only` and `runtime-config`: the cases of umoci's tests of unpack, raw and id maps. */
import { existsSync, lstatSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RuntimeSpec } from '../../../ts/spec/index.ts'
import { busybox, needs } from '../../fixtures/needs.ts'
import { readTree, treeDifferences } from '../../fixtures/tree.ts'
import { inspect, start } from './small-image.ts'
import { asEach, User } from './user.ts'

const asRoot = needs('root')

const spec = (user: User, path: string): RuntimeSpec =>
  JSON.parse(readFileSync(join(user.folder, path), 'utf8')) as RuntimeSpec

asEach('invalid arguments are refused, and nothing is made', (t, user) => {
  start(user)
  const before = readdirSync(user.folder)
  for (const verb of ['unpack', 'unpack --rootfs-only', 'runtime-config']) {
    for (const words of [
      '',
      'target',
      '--image im:a',
      '--image :a target',
      '--image nosuch:a target',
      '--image im: target',
      '--image im:nosuch target',
      '--image im:.bad..tag target',
      '--image im:a --no-such-flag target',
      '--image im:a target more',
      '--image im:a --uid-map 0:1 target',
      '--image im:a --uid-map 0 --gid-map 0:0 target',
      '--image im:a --uid-map 0:-1 --gid-map 0:0 target',
      '--image im:a --uid-map 0:0:0:0 --gid-map 0:0 target',
      '--image im:a --uid-map 0:0:4294967296 --gid-map 0:0 target',
    ]) {
      const { status } = user.try(`${verb} ${words}`.trim())
      t.is(status, 1, `${verb} ${words}`)
    }
  }
  t.deepEqual(readdirSync(user.folder), before)
})

asEach('a bundle has a mount namespace and what repack needs', (t, user) => {
  start(user)
  user.image('unpack --image im:a b')
  t.deepEqual(readdirSync(join(user.folder, 'b')).sort(), ['caisson.json', 'config.json', 'rootfs'])
  t.true(spec(user, 'b/config.json').linux?.namespaces?.some(({ type }) => type === 'mount'))
})

asEach('--rootfs-only makes the tree of the bundle, and nothing else', (t, user) => {
  start(user)
  user.image('unpack --image im:a b')
  user.image('unpack --image im:a --rootfs-only r')
  t.deepEqual(treeDifferences(readTree(join(user.folder, 'r')), readTree(join(user.folder, 'b/rootfs'))), [])
  t.deepEqual(readdirSync(join(user.folder, 'r')).sort(), readdirSync(join(user.folder, 'b/rootfs')).sort())
  t.is(user.try('unpack --image im:a --rootfs-only r').status, 1)
})

asEach('runtime-config writes what unpack writes, and needs a root file system for names', (t, user) => {
  start(user)
  user.image('config --image im:a --config.user web:log --config.workingdir /a/fake/dir --config.cmd x')
  user.image('unpack --image im:a b')
  user.image('runtime-config --image im:a --rootfs b/rootfs c.json')
  t.is(user.sh('cat c.json'), user.sh('cat b/config.json'))
  user.sh(
    'sed -i s/web:x:33:/web:x:3333:/ b/rootfs/etc/passwd; sed -i s/log:x:9:/log:x:99:/ b/rootfs/etc/group',
  )
  user.image('runtime-config --image im:a --rootfs b/rootfs c.json') // replaced
  const { process } = spec(user, 'c.json')
  t.deepEqual([process?.user?.uid, process?.user?.gid], [3333, 99])
  t.true(process?.env?.includes('HOME=/srv'))
  // umoci takes root for a name that it cannot look up.
  const unknown = user.try('runtime-config --image im:a d.json')
  t.is(unknown.status, 1)
  t.regex(unknown.stderr, /web:log.*rootfs/)
  t.false(existsSync(join(user.folder, 'd.json')))
  user.image('config --image im:a --config.user 1337:8888')
  user.image('runtime-config --image im:a d.json')
  const numeric = spec(user, 'd.json').process
  t.deepEqual([numeric?.user?.uid, numeric?.user?.gid, numeric?.cwd], [1337, 8888, '/a/fake/dir'])
  user.image('config --image im:a --tag same')
  user.image('runtime-config --image im:same e.json')
  t.is(user.sh('cat d.json'), user.sh('cat e.json'))
  t.deepEqual(
    readdirSync(user.folder).filter((name) => name.endsWith('.new')),
    [],
  )
})

asEach('--rootless is written into the configuration', (t, user) => {
  start(user)
  user.image('runtime-config --image im:a --rootless c.json')
  const { linux } = spec(user, 'c.json')
  t.deepEqual(
    [linux?.uidMappings, linux?.gidMappings].map((maps) =>
      maps?.map(({ containerID, size }) => [containerID, size]),
    ),
    [[[0, 1]], [[0, 1]]],
  )
})

asEach('layers in every compression, one after another', (t, user) => {
  start(user)
  user.image('unpack --image im:a b')
  for (const [name, compress] of Object.entries({
    'l-one': 'zstd',
    'l-two': 'gzip',
    'l-three': 'none',
    'l-four': 'zstd',
    'l-five': 'none',
    'l-six': 'auto',
  })) {
    user.sh(`echo ${name} >b/rootfs/${name}`)
    user.image(`repack --image im:a --refresh-bundle --compress=${compress} b`)
  }
  const types = inspect(user).manifest.layers.map(({ mediaType }) => mediaType.replace(/.*tar\+?/, ''))
  t.deepEqual(types.slice(1), ['zstd', 'gzip', '', 'zstd', '', ''])
  user.image('unpack --image im:a c')
  t.is(
    user.sh('cd c/rootfs; cat l-one l-two l-three l-four l-five l-six'),
    'l-one\nl-two\nl-three\nl-four\nl-five\nl-six\n',
  )
})

asEach('--keep-dirlinks is remembered: nothing has changed afterwards', (t, user) => {
  start(user)
  user.sh(`mkdir l1 l1/dir l2 l2/link; echo a >l1/dir/a; ln -s dir l1/link; echo b >l2/link/b
    tar -C l1 -cf l1.tar .; tar -C l2 -cf l2.tar .`)
  for (const file of ['l1.tar', 'l2.tar']) user.image(`add-layer --image im:a ${file}`)
  user.image('unpack --image im:a --keep-dirlinks b')
  t.is(user.sh('readlink b/rootfs/link; cat b/rootfs/dir/b'), 'dir\nb\n')
  t.regex(user.try('repack --image im:b b').stderr, /nothing has changed/)
  user.sh('echo c >b/rootfs/link/c')
  user.image('repack --image im:b --refresh-bundle b')
  t.regex(user.try('repack --image im:c b').stderr, /nothing has changed/)
  const layer = inspect(user, 'im:b').manifest.layers.at(-1)!.digest.slice(7)
  t.regex(user.sh(`tar -tzf im/blobs/sha256/${layer}`), /^dir\/c$/m)
})

asEach('set-id bits come back', (t, user) => {
  start(user)
  user.image('unpack --image im:a b')
  user.sh('cd b/rootfs; touch u g ug; chmod u+xs u; chmod g+xs g; chmod ug+xs ug')
  user.image('repack --image im:a b')
  user.image('unpack --image im:a c')
  const bits = (name: string): number => statSync(join(user.folder, 'c/rootfs', name)).mode & 0o6000
  t.deepEqual(['u', 'g', 'ug'].map(bits), [0o4000, 0o2000, 0o6000])
})

asRoot('what only root can create comes back, or leaves a placeholder', (t) => {
  const user = new User('root', {})
  start(user)
  user.image('unpack --image im:a b')
  user.sh(`cd b/rootfs; mknod block1 b 128 42; mknod block2 b 255 128; mknod char1 c 133 37; mknod char2 c 253 97; mkfifo fifo
    touch capable`)
  const capability = '0100000200040000000000000000000000000000'
  user.sh(
    `python3 -c "import os; os.setxattr('b/rootfs/capable', 'security.capability', bytes.fromhex('${capability}'))"`,
  )
  user.image('repack --image im:a b')
  user.image('unpack --image im:a c')
  const tree = readTree(join(user.folder, 'c/rootfs'))
  t.deepEqual(
    ['block1', 'block2', 'char1', 'char2', 'fifo'].map((name) => [
      tree.get(name)?.type,
      tree.get(name)?.device,
    ]),
    [
      ['block', '128:42'],
      ['block', '255:128'],
      ['char', '133:37'],
      ['char', '253:97'],
      ['fifo', undefined],
    ],
  )
  t.is(tree.get('capable')?.xattrs['security.capability'], capability)
  user.image('unpack --image im:a --rootless r')
  const poor = readTree(join(user.folder, 'r/rootfs'))
  for (const name of ['block1', 'block2', 'char1', 'char2'])
    t.like(poor.get(name), { type: 'file', mode: '0', size: 0 }, name)
  t.is(poor.get('fifo')?.type, 'fifo')
  // The placeholders do not count as changes.
  t.regex(user.try('repack --image im:b r').stderr, /nothing has changed/)
})

asRoot('--uid-map and --gid-map: owners in the tree, the namespace in config.json, and back', (t) => {
  const user = new User('root', {})
  start(user)
  user.image('unpack --image im:a --uid-map 0:1337:65535 --gid-map 0:7331:65535 b')
  t.is(user.sh('find b/rootfs ! -uid 1337 -o ! -gid 7331'), '')
  const { linux } = spec(user, 'b/config.json')
  t.deepEqual(linux?.uidMappings, [{ containerID: 0, hostID: 1337, size: 65535 }])
  t.deepEqual(linux?.gidMappings, [{ containerID: 0, hostID: 7331, size: 65535 }])
  t.true(linux?.namespaces?.some(({ type }) => type === 'user'))
  user.sh(`cd b/rootfs; echo new >'new file '; chown 2000:8000 'new file '`)
  user.image('repack --image im:b b')
  user.image('unpack --image im:b --uid-map 0:4000:65535 --gid-map 0:4000:65535 c')
  user.image('unpack --image im:b d')
  const owner = (bundle: string): number[] => {
    const { uid, gid } = lstatSync(join(user.folder, bundle, 'rootfs/new file '))
    return [uid, gid]
  }
  t.deepEqual(owner('c'), [2000 - 1337 + 4000, 8000 - 7331 + 4000])
  t.deepEqual(owner('d'), [2000 - 1337, 8000 - 7331])
  // Several ranges; an id outside all of them is an error, and nothing is left.
  user.image('unpack --image im:b --uid-map 0:1000 --uid-map 663:5000 --gid-map 0:1000:700 e')
  t.deepEqual(owner('e'), [5000, 1669])
  t.is(user.try('unpack --image im:b --uid-map 0:1000 --gid-map 0:1000:700 f').status, 1)
  t.is(user.try('unpack --image im:b --rootless --uid-map 0:1000 --gid-map 0:1000 f').status, 1)
  t.false(existsSync(join(user.folder, 'f')))
})

needs('root', 'umoci')('umoci maps the same ids', (t) => {
  const user = new User('root', {})
  start(user)
  user.image('config --image im:a --config.cmd x')
  const maps = '--uid-map 0:1337:65535 --gid-map 0:8888:65535'
  user.image(`unpack --image im:a ${maps} ours`)
  user.sh(`umoci unpack --image im:a ${maps} theirs`)
  const owners = (bundle: string): string =>
    user.sh(`cd ${bundle}/rootfs; find . -printf '%p %U:%G %m\\n' | sort`)
  t.is(owners('ours'), owners('theirs'))
  const mapped = (bundle: string): unknown => {
    const { uidMappings, gidMappings } = spec(user, `${bundle}/config.json`).linux!
    return [uidMappings, gidMappings]
  }
  t.deepEqual(mapped('ours'), mapped('theirs'))
})

asRoot('user.rootlesscontainers: written as umoci writes it, and read', (t) => {
  const user = new User('root', {})
  start(user)
  user.image('unpack --image im:a b')
  const owners = { a: '992:123', b: '0:456', c: '98:0', d: '492:218', e: '123:456' }
  for (const [name, owner] of Object.entries(owners))
    user.sh(`touch b/rootfs/${name}; chown ${owner} b/rootfs/${name}`)
  user.image('repack --image im:b b')
  user.image('unpack --image im:b --rootless r')
  const record = (name: string): string | undefined =>
    readTree(join(user.folder, 'r/rootfs')).get(name)?.xattrs['user.rootlesscontainers']
  t.deepEqual(Object.keys(owners).map(record), [
    '08e007107b',
    '08ffffffff0f10c803',
    '086210ffffffff0f',
    '08ec0310da01',
    '087b10c803',
  ])
  t.is(user.sh('find r/rootfs ! -uid 0 -o ! -gid 0'), '')
  user.sh(`python3 -c "
import os
os.setxattr('r/rootfs/d', 'user.rootlesscontainers', bytes.fromhex('08fb18108e12'))
os.removexattr('r/rootfs/e', 'user.rootlesscontainers')"`)
  // umoci gives e to root; here a tree without records says nothing about owners.
  user.image('repack --image im:c r')
  user.image('unpack --image im:c c')
  const found = readTree(join(user.folder, 'c/rootfs'))
  const owner = (name: string): string => `${found.get(name)?.uid}:${found.get(name)?.gid}`
  t.deepEqual(Object.keys(owners).map(owner), ['992:123', '0:456', '98:0', '3195:2318', '123:456'])
  t.false([...found.values()].some(({ xattrs }) => 'user.rootlesscontainers' in xattrs))
})

for (const runtime of ['runc', 'crun'] as const) {
  needs(
    'root',
    'busybox',
    runtime,
  )(`a bundle runs with ${runtime}`, (t) => {
    const user = new User('root', {})
    start(user)
    user.sh(`mkdir bin; cp ${busybox()} bin/echo`)
    user.image('insert --image im:a bin /bin')
    user.image('config --image im:a --config.entrypoint /bin/echo --config.cmd hello --config.cmd world')
    user.image('unpack --image im:a b')
    // Not every host lets a container raise its limits, or has all hierarchies.
    const config = spec(user, 'b/config.json')
    delete config.process!.rlimits
    writeFileSync(join(user.folder, 'b/config.json'), JSON.stringify(config))
    const id = `caisson-bundle-${process.pid}`
    const { status, stdout, stderr } = user.run(runtime, [
      '--root',
      join(user.folder, 'run'),
      'run',
      '--bundle',
      join(user.folder, 'b'),
      id,
    ])
    t.is(stdout, 'hello world\n', stderr)
    t.is(status, 0)
  })
}
