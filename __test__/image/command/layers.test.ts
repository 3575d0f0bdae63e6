/**
 * `insert`, `add-layer`, `repack` and `inspect` in the cases of umoci's own tests; and every blob of an image damaged.
 */
import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { needs } from '../../fixtures/needs.ts'
import { readTree } from '../../fixtures/tree.ts'
import { inspect, start } from './small-image.ts'
import { asEach, User } from './user.ts'

const at = (user: User, path: string): string => join(user.folder, path)
const layer = (user: User, image: string): string =>
  user.sh(`tar -tf im/blobs/sha256/${inspect(user, image).manifest.layers.at(-1)!.digest.slice(7)}`)

asEach('insert: files, trees and files without permissions, with their paths and modes', (t, user) => {
  start(user)
  user.sh(`mkdir -p t/some/path; touch t/a t/b; chmod 750 t/b; touch t/some/path/hidden; chmod 0 t/some/path`)
  user.image('insert --image im:a t/a /tester/a')
  user.image('insert --image im:a t/b /tester/b')
  user.image('insert --image im:a --tag b t /recursive')
  user.image('unpack --image im:b u')
  t.deepEqual(readdirSync(at(user, 'u/rootfs/tester')).sort(), ['a', 'b'])
  for (const path of ['tester/b', 'recursive/b'])
    t.is(statSync(at(user, `u/rootfs/${path}`)).mode & 0o7777, 0o750)
  t.is(statSync(at(user, 'u/rootfs/recursive/some/path')).mode & 0o7777, 0)
  t.is(statSync(at(user, 't/some/path')).mode & 0o7777, 0)
  user.sh('chmod 700 u/rootfs/recursive/some/path t/some/path')
  t.true(existsSync(at(user, 'u/rootfs/recursive/some/path/hidden')))
})

asEach(
  'insert: a directory merges, with --opaque it does not, and a file is nothing to be opaque',
  (t, user) => {
    start(user)
    user.sh('mkdir m o; touch m/foo o/bar fine')
    user.image('insert --image im:a m /etc')
    user.image('unpack --image im:a b')
    t.deepEqual(readdirSync(at(user, 'b/rootfs/etc')).sort(), ['foo', 'group', 'passwd'])
    user.image('insert --image im:a --opaque o /etc')
    user.image('insert --image im:a --opaque fine /fine')
    user.image('unpack --image im:a c')
    t.deepEqual(readdirSync(at(user, 'c/rootfs/etc')), ['bar'])
    t.true(lstatSync(at(user, 'c/rootfs/fine')).isFile())
  },
)

asEach('insert: --whiteout takes files and directories away', (t, user) => {
  start(user)
  for (const path of ['/etc', '/three', '/dir']) user.image(`insert --image im:a --whiteout ${path}`)
  user.image('unpack --image im:a b')
  t.deepEqual(readdirSync(at(user, 'b/rootfs')).sort(), ['bin', 'conf'])
})

asEach('add-layer: later archives are on top', (t, user) => {
  user.image('init --layout im')
  user.image('new --image im:a')
  user.sh(`for n in 1 2 3; do mkdir l$n; echo $n >l$n/file; done
    mkdir l1/dir1 l2/dir2 l2/dir3 l3/dir2; echo 1 >l1/dir1/file; echo 2 >l2/dir2/file; echo 2 >l2/dir3/file; echo 3 >l3/dir2/file
    for n in 1 2 3; do tar -C l$n -cf l$n.tar .; done`)
  for (const [file, compress] of [
    ['l1.tar', 'gzip'],
    ['l2.tar', 'zstd'],
    ['l3.tar', 'none'],
  ])
    user.image(`add-layer --image im:a --compress=${compress} ${file}`)
  const types = inspect(user).manifest.layers.map(({ mediaType }) => mediaType.replace(/.*tar\+?/, ''))
  t.deepEqual(types, ['gzip', 'zstd', ''])
  user.image('unpack --image im:a b')
  t.is(user.sh('cd b/rootfs; cat file dir1/file dir2/file dir3/file'), '3\n1\n3\n2\n')
})

asEach('repack: names that would be whiteouts are refused, and nothing is tagged', (t, user) => {
  start(user)
  user.image('unpack --image im:a b')
  user.sh(`mkdir b/rootfs/test; echo x >'b/rootfs/test/.wh. THIS IS A TEST '`)
  t.is(user.try('repack --image im:b b').status, 1)
  user.sh('rm -r b/rootfs/test; mkdir b/rootfs/.wh.another')
  t.is(user.try('repack --image im:b b').status, 1)
  t.is(user.image('list --layout im'), 'a\n')
  t.deepEqual(readdirSync(at(user, 'im/blobs')), ['sha256'])
})

asEach('repack: a directory, a link and a file take the place of others', (t, user) => {
  start(user)
  user.sh('mkdir l; ln -s three l/link')
  user.image('insert --image im:a l /l')
  user.image('unpack --image im:a b')
  const strange = 'a \\really //weird _00..:=path '
  user.sh(`cd b/rootfs; rm -r etc l/link conf; echo different >etc; mkdir l/link; ln -s '${strange}' conf`)
  user.image('repack --image im:a b')
  user.image('unpack --image im:a c')
  t.true(lstatSync(at(user, 'c/rootfs/etc')).isFile())
  t.true(lstatSync(at(user, 'c/rootfs/l/link')).isDirectory())
  t.is(readlinkSync(at(user, 'c/rootfs/conf')), strange)
})

asEach('repack: hard links to files and to links stay what they are', (t, user) => {
  start(user)
  user.image('unpack --image im:a b')
  user.sh(`cd b/rootfs; echo x >small; mkdir -p tmp another/dir; ln small hard; ln small tmp/hard; ln hard another/dir/hard
    ln -s /../../.././small soft; ln -P soft tmp/soft`)
  user.image('repack --image im:b b')
  user.image('unpack --image im:b c')
  const inode = (name: string): number => lstatSync(at(user, `c/rootfs/${name}`)).ino
  t.is(new Set(['small', 'hard', 'tmp/hard', 'another/dir/hard'].map(inode)).size, 1)
  t.is(inode('soft'), inode('tmp/soft'))
  t.not(inode('soft'), inode('small'))
  t.is(lstatSync(at(user, 'c/rootfs/small')).nlink, 4)
})

asEach('repack: changes below directories without any permission', (t, user) => {
  start(user)
  user.image('unpack --image im:a b')
  const close = (bundle: string): string =>
    `cd ${bundle}/rootfs/some; chmod 0 dir/NOWRITE dir/path; chmod 0 dir; chmod 0 .`
  const open = (bundle: string): string =>
    `cd ${bundle}/rootfs; chmod 700 some; chmod 700 some/dir; chmod 700 some/dir/path some/dir/NOWRITE`
  user.sh(`cd b/rootfs; mkdir -p some/dir/path/inner; mkfifo some/dir/path/fifo; echo some >some/dir/path/file
    ln -s '/../../../etc/shadow' some/dir/path/link; echo another >some/dir/NOWRITE`)
  user.sh(close('b'))
  user.image('repack --image im:a b')
  user.image('unpack --image im:a c')
  user.sh(open('c'))
  const type = (name: string): string => user.sh(`stat -c %F c/rootfs/some/dir/${name}`).trim()
  t.deepEqual(['path/fifo', 'path/file', 'path/inner', 'path/link', 'NOWRITE'].map(type), [
    'fifo',
    'regular file',
    'directory',
    'symbolic link',
    'regular file',
  ])
  user.sh(`echo 'different data' >c/rootfs/some/dir/NOWRITE`)
  user.sh(close('c'))
  user.image('repack --image im:a c')
  user.image('unpack --image im:a d')
  for (const bundle of ['b', 'd']) user.sh(open(bundle))
  t.is(readFileSync(at(user, 'd/rootfs/some/dir/NOWRITE'), 'utf8'), 'different data\n')
})

asEach('repack: extended attributes are set, changed, emptied and taken away', (t, user) => {
  start(user)
  user.image('unpack --image im:a b')
  const script = (bundle: string, lines: string): void => {
    writeFileSync(at(user, 'x.py'), `import os\nos.chdir('${bundle}/rootfs')\n${lines}`)
    user.sh('python3 x.py')
  }
  script(
    'b',
    `os.makedirs('some/test/directory')
os.setxattr('some', 'user.top', b'some directory')
os.setxattr('some/test', 'user.mid', b'test directory')
os.setxattr('some/test/directory', 'user.low', b'directory')
os.setxattr('etc', 'user.key also', b'works if you try')
os.setxattr('dir', 'user.3rd', b'confirmed')
os.setxattr('three', 'user.empty', b'')
os.setxattr('three', 'user.UMOCI:forbidden_xattr', b'kept')`,
  )
  user.image('repack --image im:a --refresh-bundle b')
  user.image('unpack --image im:a c')
  const attributes = (bundle: string, name: string): Record<string, string> => {
    const xattrs = Object.entries(readTree(at(user, `${bundle}/rootfs`)).get(name)!.xattrs)
    return Object.fromEntries(xattrs.map(([key, value]) => [key, Buffer.from(value, 'hex').toString()]))
  }
  t.deepEqual(attributes('c', 'some'), { 'user.top': 'some directory' })
  t.deepEqual(attributes('c', 'some/test'), { 'user.mid': 'test directory' })
  t.deepEqual(attributes('c', 'some/test/directory'), { 'user.low': 'directory' })
  t.deepEqual(attributes('c', 'etc'), { 'user.key also': 'works if you try' })
  // umoci loses the empty one.
  t.deepEqual(attributes('c', 'three'), { 'user.UMOCI:forbidden_xattr': 'kept', 'user.empty': '' })
  script('b', `os.removexattr('some/test', 'user.mid')\nos.setxattr('dir', 'user.3rd', b'not yet')`)
  user.image('repack --image im:a b')
  user.image('unpack --image im:a d')
  t.deepEqual(attributes('d', 'some/test'), {})
  t.deepEqual(attributes('d', 'dir'), { 'user.3rd': 'not yet' })
  t.deepEqual(attributes('d', 'some'), { 'user.top': 'some directory' })
})

asEach('repack: names in any writing are added and taken away', (t, user) => {
  start(user)
  user.image('unpack --image im:a b')
  const directory = 'TÜBİTAK_Kök_Sertifika_ Hizmet Sağlayıcısı -_Sürüm_3'
  const names = ['AC_Raíz_Certicámara_S.A..pem', ' <-- some weird characters --> 你好，世界', '変な字。。。']
  user.sh(
    `cd b/rootfs; mkdir '${directory}'; touch '${directory}/Főtanúsítvány_=x.pem' ${names.map((name) => `'${name}'`).join(' ')}`,
  )
  user.image('repack --image im:a --refresh-bundle b')
  user.sh(`rm 'b/rootfs/${names[0]}'`)
  user.image('repack --image im:b b')
  user.image('unpack --image im:b c')
  const found = readdirSync(at(user, 'c/rootfs'))
  t.deepEqual(
    [names[0]!, names[1]!, names[2]!, directory].map((name) => found.includes(name)),
    [false, true, true, true],
  )
  t.deepEqual(readdirSync(at(user, `c/rootfs/${directory}`)), ['Főtanúsítvány_=x.pem'])
})

asEach('repack: a volume ends where its name ends', (t, user) => {
  start(user)
  user.image([
    'config',
    '--image',
    'im:a',
    '--config.volume',
    '/volume',
    '--config.volume',
    '/some nutty/path name/ here',
  ])
  user.image('unpack --image im:a b')
  user.sh(`cd b/rootfs; mkdir -p 'some nutty/path name' volume some/volume; echo in >'some nutty/path name/ here'; echo in >volume/test
    echo out >'some nutty/path '; echo out >some/volume/test; echo out >volumetest`)
  user.image('repack --image im:b b')
  t.deepEqual(
    layer(user, 'im:b')
      .split('\n')
      .filter((line) => line !== '' && !line.endsWith('/'))
      .sort(),
    ['some nutty/path ', 'some/volume/test', 'volumetest'],
  )
})

asEach(
  'SOURCE_DATE_EPOCH: what is newer is as old as that, what is older stays, and so do other layers',
  (t, user) => {
    start(user)
    user.image('unpack --image im:a b')
    user.sh('cd b/rootfs; touch -d @2000000000 etc/passwd; echo x >new; echo x >old; touch -d @859293600 old')
    const untouched = statSync(at(user, 'b/rootfs/three')).mtimeMs
    const epoch = 1_234_567_890
    user.image('repack --image im:b b', { SOURCE_DATE_EPOCH: String(epoch) })
    user.image('unpack --image im:b c')
    const time = (name: string): number => statSync(at(user, `c/rootfs/${name}`)).mtimeMs
    t.deepEqual(['etc/passwd', 'new', 'old'].map(time), [epoch * 1000, epoch * 1000, 859_293_600_000])
    t.is(Math.floor(time('three') / 1000), Math.floor(untouched / 1000))
    t.is(inspect(user, 'im:b').config.history!.at(-1)!.created, '2009-02-13T23:31:30Z')
  },
)

asEach('every blob of an image that is changed or grows is found, and no bundle is left', (t, user) => {
  start(user)
  const blobs = (): string[] => readdirSync(at(user, 'im/blobs/sha256'))
  user.image('gc --layout im')
  t.is(blobs().length, 3) // manifest, configuration, layer
  for (const blob of blobs()) {
    const path = at(user, `im/blobs/sha256/${blob}`)
    const whole = readFileSync(path)
    const changed = Buffer.from(whole)
    changed[changed.length - 2]! ^= 0x20
    for (const bytes of [
      Buffer.concat([Buffer.from(' '), whole]),
      Buffer.concat([whole, Buffer.from('\0')]),
      whole.subarray(0, -1),
      changed,
    ]) {
      user.sh(`chmod u+w im/blobs/sha256/${blob}`)
      writeFileSync(path, bytes)
      for (const verb of ['unpack', 'unpack --rootfs-only']) {
        const { status, stderr } = user.try(`${verb} --image im:a b`)
        t.is(status, 1)
        t.regex(stderr, /digest|bytes|size/)
        t.false(existsSync(at(user, 'b')))
      }
    }
    writeFileSync(path, whole)
  }
  user.image('unpack --image im:a b')
})

asEach('inspect describes an image as text and as JSON', (t, user) => {
  start(user)
  user.image(
    'config --image im:a --config.user someuser --manifest.annotation org.example.test=foo --config.label l=v',
  )
  const text = user.image('stat --image im:a')
  for (const words of [
    'application/vnd.oci.image.manifest.v1+json',
    'org.example.test',
    'foo',
    'someuser',
    'caisson image insert',
    'caisson image config',
  ])
    t.true(text.includes(words), words)
  const json = JSON.parse(user.image('stat --image im:a --json')) as ReturnType<typeof inspect>
  const blob = (digest: string): unknown =>
    JSON.parse(readFileSync(at(user, `im/blobs/sha256/${digest.slice(7)}`), 'utf8'))
  t.deepEqual(json.manifest as unknown, blob(json.descriptor.digest))
  t.deepEqual(
    json.config as unknown,
    blob((json.manifest as unknown as { config: { digest: string } }).config.digest),
  )
  t.true(json.config.history!.some((entry) => entry.empty_layer !== true))
})

asEach('an artifact is inspected and tagged, and makes no bundle', (t, user) => {
  user.image('init --layout im')
  const digest = (bytes: string): string => {
    const hex = createHash('sha256').update(bytes).digest('hex')
    writeFileSync(at(user, 'blob'), bytes)
    user.sh(`mv blob im/blobs/sha256/${hex}`)
    return `sha256:${hex}`
  }
  const empty = {
    mediaType: 'application/vnd.oci.empty.v1+json',
    digest: digest('{}'),
    size: 2,
    data: 'e30=',
  }
  const data = { mediaType: 'application/vnd.example.data', digest: digest('data'), size: 4 }
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    artifactType: 'application/vnd.example.artifact',
    config: empty,
    layers: [empty, data],
    annotations: { key: 'value' },
  })
  const described = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digest(manifest),
    size: manifest.length,
  }
  const annotations = { 'org.opencontainers.image.ref.name': 'a' }
  writeFileSync(
    at(user, 'im/index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...described, annotations }] }),
  )
  const text = user.image('inspect --image im:a')
  for (const words of ['application/vnd.example.artifact', 'key=value', data.digest])
    t.true(text.includes(words), words)
  t.deepEqual(inspect(user).manifest as unknown, JSON.parse(manifest))
  user.image('tag --image im:a b')
  t.is(user.image('list --layout im'), 'a\nb\n')
  for (const verb of ['unpack', 'unpack --rootfs-only', 'runtime-config']) {
    const { status, stderr } = user.try(`${verb} --image im:a target`)
    t.is(status, 1, verb)
    t.regex(stderr, /artifact|file system|type/, verb)
    t.false(existsSync(at(user, 'target')))
  }
})

asEach('gc is idempotent; leftovers of killed processes go, unknown files stay', (t, user) => {
  start(user)
  user.image('gc --layout im')
  const state = (): string => user.sh('find im | sort')
  const before = state()
  user.sh(`touch 'im/  a file ' im/.internal im/blobs/sha256/.caisson-left; mkdir im/own im/blobs/.caisson-left
    touch im/own/x im/blobs/.caisson-left/x`)
  user.image('gc --layout im')
  t.deepEqual(
    state()
      .split('\n')
      .filter((path) => !before.includes(`${path}\n`)),
    ['im/  a file ', 'im/.internal', 'im/own', 'im/own/x'],
  )
})

needs('root', 'umoci')(
  'what umoci inserts is read, also where its version leaves out the end of the archive',
  (t) => {
    const user = new User('root', {})
    user.sh(`umoci init --layout im; umoci new --image im:a; mkdir d; echo text >d/f; echo more >d/g
    umoci insert --image im:a d /d; umoci insert --image im:a d/f /f`)
    user.image('unpack --image im:a b')
    t.is(user.sh('cd b/rootfs; cat d/f d/g f'), 'text\nmore\ntext\n')
    t.regex(user.image('verify --image im:a'), /: ok$/m)
    user.sh('echo x >b/rootfs/x')
    user.image('repack --image im:b b')
    user.sh('umoci unpack --image im:b c')
    t.is(user.sh('cd c/rootfs; cat d/f x'), 'text\nx\n')
  },
)
