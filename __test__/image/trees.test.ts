/**
 * Trees that other tools pack: everything that can be seen of them must come out of an image as it went in, and as the tool
 * itself unpacks it. As root, since owners and devices are part of it.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Image, type UnpackResult } from '../../ts/image/index.ts'
import { missing } from '../fixtures/needs.ts'
import { readTree, treeDifferences, type TreeOptions } from '../fixtures/tree.ts'
import { scratch } from './fixture.ts'

function sh(command: string, cwd: string): void {
  const env = { ...process.env, LC_ALL: 'C.UTF-8' }
  const { status, stderr } = spawnSync('bash', ['-ec', command], { cwd, env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command}: ${stderr}`)
}

/** `test`, or a counted skip where a program is missing or this is not root. */
function using(...programs: string[]): typeof test {
  const absent = programs.find((name) => spawnSync('which', [name]).status !== 0)
  const reason = missing('root', 'python3') ?? (absent ? `${absent} is not installed` : undefined)
  if (!reason) return test
  return ((title: string, implementation: () => void) => {
    console.error(`skipped: ${title}: ${reason}`)
    test.skip(title, implementation)
  }) as unknown as typeof test
}

/** Every type of file, every kind of name, attributes and times. */
const RICH = `
mkdir -p tree && cd tree
mkdir -m 1777 tmp; mkdir -m 2755 setgid; mkdir -m 0500 closed -p; mkdir empty
echo text > file; chmod 4755 file; chown 33:34 file
ln file hard; ln -s ../outside soft; ln -s "$(printf 'x%.0s' {1..180})" long-target
mkfifo -m 640 pipe; mknod -m 666 null c 1 3; mknod disk b 259 70000
printf x > $'bytes-\\xff'; printf x > 'ünï code'; printf x > "$(printf 'n%.0s' {1..200})"
deep="$(printf 'd%.0s' {1..90})"; mkdir -p $deep/$deep/$deep; echo deep > $deep/$deep/$deep/file
truncate -s 3M holes; printf start | dd of=holes conv=notrunc status=none
printf end | dd of=holes bs=1 seek=2000000 conv=notrunc status=none
truncate -s 1M only-hole
python3 -c '
import os, struct
os.setxattr("file", "user.text", b"line\\nline=\\x00end")
os.setxattr("empty", "user.directory", b"1")
os.setxattr("file", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
entry = lambda tag, bits, id=0xffffffff: struct.pack("<HHI", tag, bits, id)
acl = struct.pack("<I", 2) + entry(1, 7) + entry(2, 5, 1234) + entry(4, 5) + entry(16, 5) + entry(32, 0)
os.setxattr("empty", "system.posix_acl_default", acl)
os.setxattr("setgid", "system.posix_acl_access", acl)
os.chown("closed", 70000, 3000000, follow_symlinks=False)
os.chown("soft", 5, 6, follow_symlinks=False)
'
chown 33:34 null
touch -h -d @1234567890.123456789 soft file; touch -d '1960-01-01 00:00:00.5Z' empty; touch -d @5000000000 pipe
touch -d @1000000001.25 tmp closed .
`

function rich(base: string): string {
  sh(RICH, base)
  return join(base, 'tree')
}

async function compare(
  t: ExecutionContext,
  reference: string,
  base: string,
  expected: string,
  options: TreeOptions = {},
): Promise<UnpackResult> {
  const image = await Image.open(reference)
  t.teardown(() => image.close())
  const target = join(base, 'ours')
  const result = await image.unpackRootfs(target)
  t.deepEqual(treeDifferences(readTree(target, options), readTree(expected, options)).slice(0, 20), [])
  return result
}

const attributes = '--xattrs --xattrs-include=* --acls'
const archives: [title: string, command: string, options?: TreeOptions][] = [
  ['tar, PAX', `tar --format=posix ${attributes}`],
  ['tar, PAX, sparse 0.0', `tar --format=posix -S --sparse-version=0.0 ${attributes}`],
  ['tar, PAX, sparse 0.1', `tar --format=posix -S --sparse-version=0.1 ${attributes}`],
  ['tar, PAX, sparse 1.0', `tar --format=posix -S --sparse-version=1.0 ${attributes}`],
]
for (const [title, command, options] of archives) {
  using('tar')(`a tree of ${title}`, async (t) => {
    const base = scratch(t)
    const tree = rich(base)
    sh(`${command} --numeric-owner -C tree -cf tree.tar .`, base)
    const { skipped } = await compare(t, `tar:${base}/tree.tar`, base, tree, options)
    t.deepEqual(skipped, [])
  })
}

for (const [format, options] of [
  ['gnu', '-S'],
  ['gnu', ''],
  ['oldgnu', '-S'],
] as const) {
  using('tar', 'gzip')(`a tree of tar, ${format} ${options}`, async (t) => {
    const base = scratch(t)
    rich(base)
    // What these formats cannot say is what tar itself loses.
    sh(`tar --format=${format} ${options} --numeric-owner -C tree -czf tree.tgz .`, base)
    sh('mkdir theirs && tar --numeric-owner -C theirs -xpf tree.tgz', base)
    await compare(t, `tar:${base}/tree.tgz`, base, join(base, 'theirs'), { wholeSeconds: true })
  })
}

using()('a tree as it lies there', async (t) => {
  const base = scratch(t)
  const tree = rich(base)
  // A layer has whole seconds: half a second after -1 is -1, and not 0.
  const options = { wholeSeconds: true, withoutTime: ['empty'] }
  const { skipped } = await compare(t, `dir:${tree}`, base, tree, options)
  t.deepEqual(skipped, [])
})

using('bsdtar')('a tree of bsdtar, attributes in the form of libarchive', async (t) => {
  const base = scratch(t)
  const tree = rich(base)
  sh('bsdtar --format=pax --acls --xattrs --numeric-owner -C tree -cf tree.tar .', base)
  // It writes -1.5 for half a second after -1.
  const { skipped } = await compare(t, `tar:${base}/tree.tar`, base, tree, { withoutTime: ['empty'] })
  t.deepEqual(skipped, [])
})

/** Layers with whiteouts, opaque directories, replaced types, links across layers, in numbers. */
function manyLayers(base: string, count: number): void {
  sh('umoci init --layout images && umoci new --image images:many', base)
  for (let layer = 0; layer < count; layer++) {
    const script = [
      'rm -rf part && mkdir part && cd part',
      `mkdir -p d${layer % 5}/sub common && echo ${layer} > d${layer % 5}/f${layer} && echo ${layer} > common/same`,
      `echo ${layer} > d${layer % 5}/sub/x && ln d${layer % 5}/f${layer} common/link${layer}`,
      layer % 3 === 1
        ? `touch d${(layer - 1) % 5}/.wh.sub 2>/dev/null || mkdir -p d${(layer - 1) % 5} && touch d${(layer - 1) % 5}/.wh.sub`
        : '',
      layer % 4 === 3 ? `mkdir -p d${(layer - 2) % 5} && touch d${(layer - 2) % 5}/.wh..wh..opq` : '',
      layer % 7 === 5 ? `touch common/.wh.link${layer - 1}` : '',
      layer % 6 === 2
        ? 'rm -rf switch && mkdir switch && echo x > switch/x'
        : layer % 6 === 4
          ? 'ln -s common switch'
          : '',
      'chown -h 5:6 common && touch -d @1000000000 common',
      `cd .. && tar --sort=name -C part -cf part.tar . && umoci raw add-layer --image images:many part.tar`,
    ]
    sh(script.filter(Boolean).join('\n'), base)
  }
}

using('umoci', 'tar')('twenty layers with whiteouts, as umoci unpacks them', async (t) => {
  const base = scratch(t)
  manyLayers(base, 20)
  sh('umoci unpack --image images:many theirs', base)
  const image = await Image.open(`oci:${base}/images:many`)
  t.is(image.manifest.layers.length, 20)
  // umoci keeps whole seconds, and sets no time of directories that a later whiteout changes.
  const options: TreeOptions = { wholeSeconds: true, withoutDirectoryTimes: true }
  await compare(t, `oci:${base}/images:many`, base, join(base, 'theirs/rootfs'), options)
})

const copies: [title: string, destination: string, reference: string][] = [
  ['a layout with zstd layers', '--dest-compress-format zstd --dest-compress oci:copy:box', 'oci:copy:box'],
  ['an OCI archive', 'oci-archive:copy.tar:box', 'oci-archive:copy.tar:box'],
  ['an archive of docker save', 'docker-archive:copy.tar:team/box:1', 'docker-archive:copy.tar:team/box:1'],
]
for (const [title, destination, reference] of copies) {
  using(
    'umoci',
    'skopeo',
    'tar',
  )(`${title}, as skopeo writes it`, async (t) => {
    const base = scratch(t)
    const tree = rich(base)
    sh(
      `umoci init --layout images && umoci new --image images:box &&
       tar --format=posix ${attributes} --numeric-owner -C tree -cf tree.tar . &&
       umoci raw add-layer --image images:box tree.tar &&
       skopeo --insecure-policy copy -q oci:images:box ${destination}`,
      base,
    )
    const [transport, ...rest] = reference.split(':')
    await compare(t, `${transport}:${base}/${rest.join(':')}`, base, tree)
  })
}

using('buildah')('an image of buildah, in a layout and in both archives, as buildah mounts it', async (t) => {
  const base = scratch(t)
  rich(base)
  const buildah = `buildah --storage-driver vfs --root ${base}/storage --runroot ${base}/run`
  sh(
    `first=$(${buildah} from scratch) && ${buildah} copy -q $first tree / && ${buildah} config --cmd /x $first
     ${buildah} commit -q $first box:1 && second=$(${buildah} from box:1)
     at=$(${buildah} mount $second) && rm -r $at/tmp $at/hard && echo new > $at/new && chown 7:8 $at/new
     ${buildah} commit -q $second box:2 && third=$(${buildah} from box:2)
     cp -a $(${buildah} mount $third) theirs
     for place in oci:layout:2 oci-archive:oci.tar:2 docker-archive:docker.tar:box:2; do
       ${buildah} push -q box:2 $place
     done`,
    base,
  )
  for (const reference of ['oci:layout:2', 'oci-archive:oci.tar:2', 'docker-archive:docker.tar:box:2']) {
    const [transport, ...rest] = reference.split(':')
    const folder = join(base, transport!)
    mkdirSync(folder)
    // The root is in no layer, and storage of containers knows no time before 1970.
    const options = { without: ['.'], withoutTime: ['empty'] }
    await compare(t, `${transport}:${base}/${rest.join(':')}`, folder, join(base, 'theirs'), options)
  }
})

const MIRROR = 'http://deb.debian.org/debian/dists/stable/Release'

function reachesMirror(): boolean {
  const script = `fetch('${MIRROR}', { signal: AbortSignal.timeout(10000) }).then(({ ok }) => process.exit(ok ? 0 : 1))`
  return spawnSync(process.execPath, ['-e', script]).status === 0
}

// A minute and a half: in CI, and where somebody asks for it.
const wanted = Boolean(process.env['CI'] ?? process.env['CAISSON_TEST_DEBIAN'])
const obstacle = wanted
  ? reachesMirror()
    ? undefined
    : 'the mirror of Debian cannot be reached'
  : 'takes minutes: set CI or CAISSON_TEST_DEBIAN'
if (obstacle) console.error(`skipped: a whole Debian: ${obstacle}`)
const debian = obstacle ? test.skip : using('debootstrap', 'umoci')
debian('a whole Debian: what debootstrap makes, tar packs and umoci unpacks', async (t) => {
  t.timeout(900_000)
  const base = scratch(t)
  sh(
    `debootstrap --variant=minbase stable tree &&
     tar --xattrs --numeric-owner -C tree -cf tree.tar . && gzip -1 -k tree.tar &&
     umoci init --layout images && umoci new --image images:debian &&
     umoci raw add-layer --image images:debian tree.tar && umoci unpack --image images:debian theirs`,
    base,
  )
  const { entries } = await compare(t, `tar:${base}/tree.tar.gz`, base, join(base, 'tree'))
  t.true(entries > 3000)
  renameSync(join(base, 'ours'), join(base, 'from-archive'))
  await compare(t, `oci:${base}/images:debian`, base, join(base, 'theirs/rootfs'), { wholeSeconds: true })
})
