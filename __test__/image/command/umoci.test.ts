/** The behaviours that umoci's own tests cover, group by group, as root and as an ordinary user. */
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { needs } from '../../fixtures/needs.ts'
import { inspect, start } from './small-image.ts'
import { asEach, User } from './user.ts'

asEach('init and new make what umoci can read, and refuse existing paths', (t, user) => {
  user.image('init --layout im')
  t.is(user.try('init --layout im').status, 1)
  t.regex(user.try('init --layout im').stderr, /im exists already/)
  user.image('new --image im:a')
  const { config, manifest } = inspect(user)
  t.is(config.os, 'linux')
  t.deepEqual(manifest.layers, [])
  t.is(user.image('ls --layout im'), 'a\n')
  for (const bad of [
    'init',
    'init --layout',
    'new',
    'new --image im',
    'new --image im:.bad',
    'new --image im:a x',
    'nosuch',
  ])
    t.not(user.try(bad).status, 0, bad)
})

asEach('unpack gives the same tree each time, and repack without changes adds no layer', (t, user) => {
  start(user)
  user.image('unpack --image im:a one')
  user.image('unpack im:a two')
  t.is(user.sh('diff -r --no-dereference one/rootfs two/rootfs'), '')
  t.is(statSync(join(user.folder, 'one')).mode & 0o777, 0o700)
  const before = inspect(user)
  const { stderr } = user.try('repack --image im:b one')
  t.regex(stderr, /nothing has changed/)
  t.deepEqual(inspect(user, 'im:b').manifest.layers, before.manifest.layers)
})

asEach('repack: new, changed, removed and replaced paths', (t, user) => {
  start(user)
  user.image('unpack --image im:a b')
  user.sh(`cd b/rootfs; echo new >new; echo changed >three; rm -r dir; echo file >dir
    rm conf; mkdir conf; echo x >conf/x; ln -s /etc/passwd link; mkdir empty`)
  user.image('repack --image im:b b')
  const { manifest, config } = inspect(user, 'im:b')
  t.is(manifest.layers.length, 2)
  t.is(config.history?.at(-1)?.created_by, 'caisson image repack')
  user.image('unpack --image im:b c')
  t.is(user.sh('diff -r --no-dereference b/rootfs c/rootfs'), '')
  t.true(lstatSync(join(user.folder, 'c/rootfs/dir')).isFile())
  user.sh('rm -r b/rootfs/empty b/rootfs/new')
  user.image('repack --image im:c b')
  const layer = inspect(user, 'im:c').manifest.layers[1]!.digest.slice(7)
  t.regex(user.sh(`tar -tzf im/blobs/sha256/${layer}`), /^dir$/m)
  t.notRegex(user.sh(`tar -tzf im/blobs/sha256/${layer}`), /\.wh\.(new|empty)/) // never in the image that is the base
})

asEach('repack: whiteouts, --refresh-bundle, history', (t, user) => {
  start(user)
  user.image('unpack --image im:a b')
  user.sh('rm -r b/rootfs/dir')
  user.image(
    'repack --image im:b --refresh-bundle --history.author me --history.comment why --history.created 2020-01-02T03:04:05Z --history.created_by hand b',
  )
  const { manifest, config } = inspect(user, 'im:b')
  t.regex(user.sh(`tar -tzf im/blobs/sha256/${manifest.layers[1]!.digest.slice(7)}`), /^\.wh\.dir$/m)
  t.deepEqual(config.history?.at(-1), {
    created: '2020-01-02T03:04:05Z',
    author: 'me',
    created_by: 'hand',
    comment: 'why',
  })
  // The bundle is one of im:b now: the next difference begins there.
  user.sh('echo x >b/rootfs/x')
  user.image('repack --image im:c --no-history b')
  const next = inspect(user, 'im:c')
  t.is(next.manifest.layers.length, 3)
  t.is(next.config.history?.length, config.history?.length)
  t.is(user.try('repack --image im:d --no-history --history.author x b').status, 1)
  t.is(user.try('repack --image im:d nowhere').status, 1)
  t.regex(user.try('repack --image im:d src').stderr, /does not say which image/)
})

asEach('repack: hard links, unicode, names with spaces, files without any right', (t, user) => {
  start(user)
  user.image('unpack --image im:a b')
  user.sh(`cd b/rootfs; ln three again; mkdir 'ünï cödé'; echo x >'ünï cödé/ß☃'; ln -s 'ünï cödé' 'a b'
    mkdir locked; echo secret >locked/f; chmod 0 locked/f locked; echo y >plain; chmod 0 plain`)
  user.image('repack --image im:b b')
  user.image('unpack --image im:b c')
  const c = join(user.folder, 'c/rootfs')
  t.is(statSync(join(c, 'three')).ino, statSync(join(c, 'again')).ino)
  t.is(statSync(join(c, 'locked')).mode & 0o7777, 0)
  t.is(statSync(join(user.folder, 'b/rootfs/locked')).mode & 0o7777, 0) // put back
  user.sh('chmod 700 c/rootfs/locked; chmod 600 c/rootfs/locked/f')
  t.is(readFileSync(join(c, 'locked/f'), 'utf8'), 'secret\n')
  t.is(readFileSync(join(c, 'a b/ß☃'), 'utf8'), 'x\n')
  user.sh('chmod 700 b/rootfs/locked')
})

asEach('repack: volumes and masked paths do not count', (t, user) => {
  start(user)
  user.image('config --image im:a --config.volume /data --config.volume /srv/v')
  user.image('unpack --image im:a b')
  user.sh(
    'cd b/rootfs; mkdir -p data srv/v tmp; echo x >data/x; echo x >srv/v/x; echo x >tmp/x; echo x >kept',
  )
  user.image('repack --image im:b --mask-path /tmp b')
  const list = (image: string): string =>
    user.sh(`tar -tzf im/blobs/sha256/${inspect(user, image).manifest.layers[1]!.digest.slice(7)}`)
  t.regex(list('im:b'), /^kept$/m)
  t.notRegex(list('im:b'), /^(data|srv\/v|tmp)/m)
  user.image('repack --image im:c --no-mask-volumes b')
  t.regex(list('im:c'), /^data\/x$/m)
  t.regex(list('im:c'), /^tmp\/x$/m)
})

asEach('compression: gzip, zstd, none, and auto as the topmost layer', (t, user) => {
  start(user)
  const types: string[] = []
  for (const [index, compress] of ['zstd', 'auto', 'none', 'auto', 'gzip', 'auto'].entries()) {
    user.sh(`echo ${index} >f${index}`)
    user.image(`insert --image im:a --compress ${compress} f${index} /f${index}`)
    types.push(
      inspect(user)
        .manifest.layers.at(-1)!
        .mediaType.replace(/.*tar\+?/, '') || 'none',
    )
  }
  t.deepEqual(types, ['zstd', 'zstd', 'none', 'none', 'gzip', 'gzip'])
  user.image('unpack --image im:a b')
  t.is(user.sh('cat b/rootfs/f?'), '0\n1\n2\n3\n4\n5\n')
  t.is(user.try('insert --image im:a --compress lzma f0 /x').status, 1)
})

asEach('insert: files, directories, --opaque, --whiteout, --tag', (t, user) => {
  start(user)
  user.sh('mkdir fresh; echo fresh >fresh/f')
  user.image('insert --image im:a --tag b --opaque fresh /dir')
  user.image('unpack --image im:b b')
  t.deepEqual(readdirSync(join(user.folder, 'b/rootfs/dir')), ['f'])
  user.image('insert --image im:b --whiteout /etc/passwd')
  user.image('unpack --image im:b c')
  t.false(existsSync(join(user.folder, 'c/rootfs/etc/passwd')))
  t.true(existsSync(join(user.folder, 'c/rootfs/etc/group')))
  t.deepEqual(user.image('ls im'), 'a\nb\n')
  t.is(inspect(user).manifest.layers.length, 1) // im:a stays
  for (const bad of [
    '--image im:a src',
    '--image im:a --whiteout',
    '--image im:a --opaque --whiteout /x',
    '--image im:a nosuch /x',
    '--image im:nosuch src /x',
    '--image im:a --tag .. src /x',
  ])
    t.is(user.try(`insert ${bad}`).status, 1, bad)
})

asEach(
  'add-layer takes archives in every compression, checks them, and can keep them as they are',
  (t, user) => {
    start(user)
    user.sh(
      'mkdir t; echo x >t/x; tar -C t -cf l.tar .; gzip -9 -k l.tar; head -c 700 l.tar >cut.tar; echo no >no.tar',
    )
    for (const file of ['l.tar', 'l.tar.gz']) user.image(`add-layer --image im:a ${file}`)
    const { manifest, config } = inspect(user)
    t.is(manifest.layers[1]!.digest, manifest.layers[2]!.digest) // the same archive, compressed by us
    t.is(config.rootfs.diff_ids[1], `sha256:${user.sh('sha256sum l.tar').split(' ')[0]}`)
    user.image('add-layer --image im:a --verbatim l.tar.gz')
    t.is(inspect(user).manifest.layers[3]!.digest, `sha256:${user.sh('sha256sum l.tar.gz').split(' ')[0]}`)
    user.image('unpack --image im:a b')
    t.is(user.sh('cat b/rootfs/x'), 'x\n')
    for (const bad of ['cut.tar', 'no.tar', 'nosuch.tar', 't'])
      t.is(user.try(`add-layer --image im:a ${bad}`).status, 1, bad)
    t.is(readdirSync(join(user.folder, 'im/blobs/sha256')).filter((name) => name.startsWith('.')).length, 0)
  },
)

asEach('config sets and clears every field', (t, user) => {
  start(user)
  user.image(
    'config --image im:a --config.user web:log --config.env A=1 --config.env B=2 --config.entrypoint /bin/sh --config.entrypoint -c --config.cmd true --config.volume /v --config.exposedports 80/tcp --config.label x=y=z --config.workingdir /dir --config.stopsignal SIGUSR1 --author me --created 2020-01-02T03:04:05+01:00 --platform.os plan9 --platform.arch arm64 --platform.variant v8 --manifest.annotation k=v',
  )
  const { config, manifest } = inspect(user, 'im:a --platform plan9/arm64')
  t.deepEqual(config.config, {
    User: 'web:log',
    Env: ['A=1', 'B=2'],
    Entrypoint: ['/bin/sh', '-c'],
    Cmd: ['true'],
    Volumes: { '/v': {} },
    ExposedPorts: { '80/tcp': {} },
    Labels: { x: 'y=z' },
    WorkingDir: '/dir',
    StopSignal: 'SIGUSR1',
  })
  t.is(config.created, '2020-01-02T03:04:05+01:00')
  t.deepEqual([config.author, config.os, config.architecture, config.variant], ['me', 'plan9', 'arm64', 'v8'])
  t.deepEqual(manifest.annotations, { k: 'v' })
  t.true(config.history?.at(-1)?.empty_layer)
  const platform = '--platform plan9/arm64'
  user.image(`config --image im:a ${platform} --config.env A=3 --config.entrypoint x`)
  const changed = inspect(user, `im:a ${platform}`).config.config
  t.deepEqual(changed?.['Env'], ['A=3', 'B=2'])
  t.is(changed?.['Cmd'], undefined) // spoke of the old entrypoint
  const fields =
    'config.env config.entrypoint config.cmd config.volume config.exposedports config.labels config.user config.workingdir config.stopsignal author manifest.annotations'
  user.image(
    `config --image im:a ${platform} --no-history ${fields
      .split(' ')
      .map((field) => `--clear ${field}`)
      .join(' ')}`,
  )
  const cleared = inspect(user, `im:a ${platform}`)
  t.is(cleared.config.author, undefined)
  t.is(cleared.manifest.annotations, undefined)
  t.deepEqual(
    Object.values(cleared.config.config ?? {}).filter((value) => Object.keys(value as object).length > 0),
    [],
  )
  for (const bad of [
    '--clear nosuch',
    '--clear rootfs.diffids',
    '--config.env A',
    '--config.label x',
    '--created yesterday',
  ])
    t.is(user.try(`config --image im:a ${platform} ${bad}`).status, 1, bad)
})

asEach('config.user is looked up in the root file system', (t, user) => {
  start(user)
  const process = (
    spec: string,
  ): { user: { uid: number; gid: number; additionalGids?: number[] }; env: string[] } => {
    user.image(`config --image im:a --config.user ${spec}`)
    user.sh('rm -rf b')
    user.image('unpack --image im:a b')
    return (JSON.parse(readFileSync(join(user.folder, 'b/config.json'), 'utf8')) as { process: never })
      .process
  }
  const groups = (...ids: number[]): object => (user.ordinary ? {} : { additionalGids: ids })
  t.deepEqual(process('web').user, { uid: 33, gid: 44, ...groups(44, 9) })
  t.true(process('web').env.includes('HOME=/srv'))
  t.deepEqual(process('web:log').user, { uid: 33, gid: 9, ...groups(9) })
  t.deepEqual(process('1000:1001').user, { uid: 1000, gid: 1001, ...groups(1001) })
  t.deepEqual(process('33').user, { uid: 33, gid: 44, ...groups(44, 9) })
  user.image('config --image im:a --config.user ghost --config.env HOME=/set')
  user.sh('rm -rf b')
  t.regex(user.try('unpack --image im:a b').stderr, /ghost/)
  t.false(existsSync(join(user.folder, 'b')))
  t.true(process('web').env.includes('HOME=/set'))
})

asEach('tag, list, remove and gc', (t, user) => {
  start(user)
  user.sh('echo x >x')
  user.image('insert --image im:a --tag b x /x')
  user.image('tag --image im:a c')
  user.image('tag --image im:b c') // taken from a
  t.is(user.image('list --layout im'), 'a\nb\nc\n')
  t.is(inspect(user, 'im:c').descriptor.digest, inspect(user, 'im:b').descriptor.digest)
  t.is(user.json<{ removed: string[] }>('gc --layout im').removed.length, 2) // of the empty image
  user.image('rm --image im:b')
  t.is(user.json<{ removed: string[] }>('gc --layout im').removed.length, 0) // c still leads there
  user.image('rm im:c')
  const dry = user.json<{ removed: string[] }>('gc --layout im --dry-run')
  t.is(dry.removed.length, 3)
  t.deepEqual(user.json<{ removed: string[] }>('gc --layout im').removed, dry.removed)
  user.image('unpack --image im:a b')
  user.image('rm --image im:a')
  user.image('gc --layout im')
  t.deepEqual(readdirSync(join(user.folder, 'im/blobs/sha256')), [])
  for (const bad of [
    'rm --image im:a',
    'rm --image im',
    'tag --image im:a',
    'tag --image im:a x',
    'gc',
    'ls nowhere',
  ])
    t.is(user.try(bad).status, 1, bad)
})

asEach('a changed blob and a wrong size are found', (t, user) => {
  start(user)
  t.regex(user.image('verify --image im:a'), /: ok$/m)
  const blob = join('im/blobs/sha256', inspect(user).manifest.layers[0]!.digest.slice(7))
  user.sh(`cp ${blob} keep; printf x | dd of=${blob} bs=1 seek=40 conv=notrunc 2>/dev/null`)
  t.regex(user.try('unpack --image im:a b').stderr, /has the digest/)
  t.false(existsSync(join(user.folder, 'b')))
  t.regex(user.try('verify --image im:a').stdout, /^ERR_DIGEST_MISMATCH/)
  t.is(user.try('verify --image im:a').status, 1)
  user.sh(`cp keep ${blob}; echo >>${blob}`)
  t.regex(user.try('verify --image im:a').stdout, /^ERR_SIZE_MISMATCH/)
  t.is(user.try('repack --image im:b nowhere').status, 1)
})

asEach('SOURCE_DATE_EPOCH makes the same image again', (t, user) => {
  const env = { SOURCE_DATE_EPOCH: '1234567890' }
  const digests: string[] = []
  for (const layout of ['one', 'two']) {
    user.sh('rm -rf src; mkdir src; echo x >src/x; touch src/y')
    user.image(`new --image ${layout}:a`, env)
    user.image(`insert --image ${layout}:a src /s`, env)
    user.image(`config --image ${layout}:a --config.cmd x`, env)
    user.image(`unpack --image ${layout}:a ${layout}-b`, env)
    user.sh(`echo y >${layout}-b/rootfs/s/y`)
    user.image(`repack --image ${layout}:a ${layout}-b`, env)
    digests.push(inspect(user, `${layout}:a`).descriptor.digest)
    t.is(inspect(user, `${layout}:a`).config.created, '2009-02-13T23:31:30Z')
  }
  t.is(digests[0], digests[1])
  t.not(user.try('new --image x:a', { SOURCE_DATE_EPOCH: 'soon' }).status, 0)
})

const asRoot = needs('root')

asRoot('set-id bits, file capabilities, devices, owners and attributes survive repack', (t) => {
  const user = new User('root', {})
  start(user)
  user.image('unpack --image im:a b')
  user.sh(`cd b/rootfs; echo x >suid; chmod 4755 suid; chown 33:44 suid; chmod 4755 suid; mknod null c 1 3; mknod fifo p
    mkdir sticky; chmod 3777 sticky
    python3 -c "import os; os.setxattr('three', 'user.note', b'\\x00\\xff'); os.setxattr('suid', 'security.capability', bytes.fromhex('0100000200200000000000000000000000000000'))"`)
  user.image('repack --image im:b b')
  user.image('unpack --image im:b c')
  const facts = `cd b/rootfs; find . -printf '%p %M %U:%G %l\\n' | sort; python3 -c "
import os
for name in ('three', 'suid'): print([(n, os.getxattr(name, n)) for n in os.listxattr(name)])
print(os.lstat('null').st_rdev)"`
  t.is(user.sh(facts.replace('b/', 'c/')), user.sh(facts))
  t.regex(user.sh(facts), /security\.capability/)
})

asRoot('id maps are applied when a tree is packed', (t) => {
  const user = new User('root', {})
  start(user)
  user.sh('mkdir m; echo x >m/x; chown -R 100000:200005 m')
  user.image('insert --image im:a --uid-map 0:100000:65536 --gid-map 0:200000:65536 m /m')
  user.image('unpack --image im:a b')
  const { uid, gid } = lstatSync(join(user.folder, 'b/rootfs/m/x'))
  t.deepEqual([uid, gid], [0, 5])
  t.regex(user.try('insert --image im:a --uid-map 0:5:1 m /m').stderr, /uid 100000 is not in the id map/)
})

asRoot("what root writes into another user's layout belongs to that user", (t) => {
  const user = new User('root', {})
  start(user)
  user.sh('chown -R 4242:4343 im; echo x >x')
  user.image('insert --image im:a x /x')
  t.is(user.sh('find im ! -uid 4242 -o ! -gid 4343'), '')
})

test('owners that an ordinary user cannot give are recorded and come back', (t) => {
  const user = new User('ordinary', {})
  start(user)
  user.sh('mkdir t; echo x >t/owned')
  user.image('insert --image im:a t /t')
  const image = inspect(user)
  t.true(image.manifest.layers.length > 0)
  // An image with an owner, written with ids by any user.
  user.sh(`cat >build.mjs <<'END'
import { Image } from '${new URL('../../../dist/index.js', import.meta.url).pathname}'
await Image.build({ from: 'oci:im:a', layout: 'im', tag: 'o', layers: [{ entries: [{ path: '/t/owned', content: 'x', uid: 33, gid: 44 }] }] })
END
${process.execPath} build.mjs`)
  user.image('unpack --rootless --image im:o b')
  user.sh('echo changed >b/rootfs/t/owned')
  user.image('repack --image im:p b')
  const layer = inspect(user, 'im:p').manifest.layers.at(-1)!.digest.slice(7)
  t.regex(user.sh(`tar --numeric-owner -tvzf im/blobs/sha256/${layer}`), / 33\/44 .* t\/owned$/m)
})
