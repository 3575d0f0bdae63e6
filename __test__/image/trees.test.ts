/**
 * Trees packed by other tools: everything visible must come out of an image as it went in, and as the tool itself
 * unpacks it. As root, because owners and devices are part of it.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TreeOptions } from '../fixtures/tree.ts'
import { Image } from '../../ts/image/index.ts'
import { scratch } from './fixture.ts'
import { compare, rich, sh, using } from './peers.ts'

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
    // tar itself loses what these formats cannot express.
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
