/** Images that we write, in every form, are read and run by other tools: all see the same. */
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { ExecutionContext } from 'ava'
import { copyImage, Image, Store, type LayerEntry } from '../../ts/image/index.ts'
import { Runtime } from '../../ts/index.ts'
import { makeRootfs } from '../fixtures/rootfs.ts'
import { readTree, treeDifferences, type Tree, type TreeOptions } from '../fixtures/tree.ts'
import { scratch } from './fixture.ts'
import { rich, sh, using } from './peers.ts'

/** umoci keeps whole seconds, like our layers, and sets no time on directories that a later layer changes. */
const UMOCI: TreeOptions = { wholeSeconds: true, withoutDirectoryTimes: true }

/**
 * A small system in three layers with all the hard cases: removals, opaque directories, replaced types, new attributes.
 */
async function writeImage(base: string): Promise<Image> {
  rich(base)
  mkdirSync(join(base, 'system/etc'), { recursive: true })
  makeRootfs(join(base, 'system'))
  writeFileSync(join(base, 'system/etc/passwd'), 'root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n')
  writeFileSync(join(base, 'system/etc/group'), 'root:x:0:\nweb:x:34:\n')
  return Image.build({
    layout: join(base, 'images'),
    tag: 'box',
    sourceDateEpoch: 2_000_000_000,
    layers: [
      {
        entries: [
          { path: '/', source: join(base, 'system') },
          { path: '/rich', source: join(base, 'tree') },
        ],
      },
      {
        entries: [
          { path: '/rich/long-target', remove: true },
          { path: '/rich/setgid', opaque: true },
          { path: '/rich/setgid/new', content: 'new', mode: 0o2711, uid: 5, gid: 6 },
          { path: '/rich/soft', type: 'directory', mode: 0o750 },
          { path: '/rich/pipe', content: 'no pipe', xattrs: { 'user.more': Buffer.from([0, 255]) } },
          { path: '/rich/null', type: 'symlink', target: '/etc/passwd' },
          { path: '/set-id', content: '#!/bin/sh\n', mode: 0o6755, uid: 33, gid: 34, mtime: 1_000_000_000 },
        ],
      },
      {
        entries: [
          { path: '/rich/pipe', remove: true },
          { path: '/rich/hard', content: 'alone', mode: 0o600, uid: 33 },
          { path: '/rich/fresh/and/more', content: 'more' },
        ],
      },
    ],
    config: {
      config: { User: 'web', Env: ['A=b c'], WorkingDir: '/srv/work', Cmd: ['sh', '-c', LOOK] },
    },
  })
}

/** The container's view, without sizes and times of directories, which depend on the storage. */
const LOOK = `
  id; pwd; echo "$A $HOME"
  for path in /set-id /rich /rich/* /rich/*/*; do
    if [ -d "$path" ] && [ ! -L "$path" ]; then stat -c "%n %F %a %u:%g" "$path"
    elif [ -e "$path" ] || [ -L "$path" ]; then stat -c "%n %F %a %u:%g %s %Y" "$path"
    fi
  done
  cat /rich/setgid/new /etc/passwd
  test -e /rich/pipe || echo gone`

async function unpacked(image: Image, base: string, options: TreeOptions): Promise<Tree> {
  await image.unpackRootfs(join(base, 'ours'))
  return readTree(join(base, 'ours'), options)
}

function same(t: ExecutionContext, ours: Tree, theirs: Tree, title: string): void {
  t.deepEqual(treeDifferences(ours, theirs).slice(0, 20), [], title)
  t.true(ours.size > 30)
}

const FORMS = ['oci:copied:box', 'oci-archive:oci.tar:box', 'docker-archive:docker.tar:team/box:1']

using(
  'umoci',
  'skopeo',
  'bsdtar',
)('umoci and skopeo read every form, and see the same tree', async (t) => {
  const base = scratch(t)
  const image = await writeImage(base)
  const ours = await unpacked(image, base, UMOCI)
  sh('umoci unpack --image images:box umoci', base)
  same(t, ours, readTree(join(base, 'umoci/rootfs'), UMOCI), 'umoci')
  for (const [index, form] of FORMS.entries()) {
    const [transport, ...rest] = form.split(':')
    await copyImage(`oci:${base}/images:box`, { to: `${transport}:${base}/${rest.join(':')}` })
    const copy = `skopeo-${index}`
    sh(
      `skopeo --insecure-policy copy -q ${form} oci:${copy}:box && umoci unpack --image ${copy}:box ${copy}-tree`,
      base,
    )
    same(t, ours, readTree(join(base, `${copy}-tree/rootfs`), UMOCI), form)
    const theirs = await Image.open(`oci:${base}/${copy}:box`)
    t.deepEqual(theirs.config?.rootfs, image.config?.rootfs)
    if (transport !== 'docker-archive') t.is(theirs.digest, image.digest)
  }
  // Other archives of docker keep the configuration, and so the id of the image.
  sh(
    'skopeo --insecure-policy copy -q docker-archive:docker.tar:team/box:1 docker-archive:again.tar:box:1',
    base,
  )
  await using again = await Image.open(`docker-archive:${base}/again.tar:box:1`)
  t.is(again.manifest.config.digest, image.manifest.config.digest)
})

using('buildah', 'skopeo')(
  'buildah mounts every form, also with zstd layers, and sees the same tree',
  async (t) => {
    const base = scratch(t)
    const image = await writeImage(base)
    // Its storage knows no time before 1970, and no access control lists.
    const options: TreeOptions = { ...UMOCI, withoutTime: ['rich/empty'] }
    const ours = await unpacked(image, base, options)
    for (const { xattrs } of ours.values()) {
      for (const name of Object.keys(xattrs)) if (name.startsWith('system.posix_acl')) delete xattrs[name]
    }
    await image.convert({ layout: join(base, 'images'), tag: 'zstd', compression: 'zstd' })
    await copyImage(`oci:${base}/images:zstd`, { to: `docker-archive:${base}/zstd.tar:zstd` })
    for (const form of FORMS.slice(1)) {
      const [transport, ...rest] = form.split(':')
      await copyImage(`oci:${base}/images:box`, { to: `${transport}:${base}/${rest.join(':')}` })
    }
    const buildah = `buildah --storage-driver vfs --root ${base}/storage --runroot ${base}/run`
    for (const [index, form] of [
      'oci:images:box',
      'oci:images:zstd',
      'docker-archive:zstd.tar:zstd',
      ...FORMS.slice(1),
    ].entries()) {
      sh(
        `container=$(${buildah} from -q --pull-always ${form} 2>err || { cat err >&2; exit 1; })
       cp -a $(${buildah} mount $container) buildah-${index}; ${buildah} umount $container >/dev/null; ${buildah} rm $container >/dev/null
       ${buildah} rmi -a >/dev/null`,
        base,
      )
      same(t, ours, readTree(join(base, `buildah-${index}`), options), form)
    }
  },
)

/** Layers that add, change, hide and replace files of the layers below. */
function manyLayers(count: number): { entries: LayerEntry[] }[] {
  return Array.from({ length: count }, (_, layer) => {
    const [own, before] = [`/d${layer % 5}`, `/d${(layer + 4) % 5}`]
    const entries: LayerEntry[] = [
      { path: `${own}/f${layer}`, content: `${layer}\n`, mode: 0o600 + layer, uid: layer, mtime: layer },
      { path: '/common/same', content: `${layer}\n` },
      { path: `/common/link${layer}`, type: 'hardlink', target: `${own}/f${layer}` },
      { path: `${own}/sub/x${layer}`, content: String(layer), xattrs: { 'user.layer': String(layer) } },
    ]
    if (layer % 3 === 1) entries.push({ path: `${before}/sub`, remove: true })
    if (layer % 4 === 3) entries.push({ path: `/d${(layer + 2) % 5}`, opaque: true })
    if (layer % 7 === 5) entries.push({ path: `/common/link${layer - 1}`, remove: true })
    if (layer % 6 === 2) entries.push({ path: '/switch/x', content: 'x' })
    if (layer % 6 === 4) entries.push({ path: '/switch', type: 'symlink', target: 'common' })
    return { entries }
  })
}

using('umoci', 'skopeo')('two dozen layers with removals, as umoci and skopeo read them', async (t) => {
  const base = scratch(t)
  const layout = join(base, 'images')
  const image = await Image.build({ layout, tag: 'many', layers: manyLayers(24) })
  t.is(image.manifest.layers.length, 24)
  const ours = await unpacked(image, base, UMOCI)
  sh('umoci unpack --image images:many umoci', base)
  same(t, ours, readTree(join(base, 'umoci/rootfs'), UMOCI), 'umoci')
  const squashed = await image.squash({ layout, tag: 'one' })
  t.is(squashed.manifest.layers.length, 1)
  sh('umoci unpack --image images:one squashed', base)
  same(t, ours, readTree(join(base, 'squashed/rootfs'), UMOCI), 'squashed')
  // zstd both ways. umoci of this age reads none, buildah does (below).
  const zstd = '--dest-compress --dest-compress-format zstd'
  sh(`skopeo --insecure-policy copy -q ${zstd} oci:images:many oci:zstd:many`, base)
  const theirs = await Image.open(`oci:${base}/zstd:many`)
  await theirs.unpackRootfs(join(base, 'zstd-tree'))
  same(t, ours, readTree(join(base, 'zstd-tree'), UMOCI), 'zstd of skopeo')
  const converted = await image.convert({ layout, tag: 'zstd', compression: 'zstd' })
  sh('skopeo --insecure-policy copy -q oci:images:zstd oci:copied:zstd', base)
  t.is((await Image.open(`oci:${base}/copied:zstd`)).digest, converted.digest)
})

using('skopeo')(
  'an image in the words of docker, and back, keeps its configuration and its layers',
  async (t) => {
    const base = scratch(t)
    const layout = join(base, 'images')
    const image = await Image.build({
      layout,
      tag: 'oci',
      layers: manyLayers(3),
      annotations: { 'a.b': 'c' },
    })
    const docker = await image.convert({ layout, tag: 'docker', mediaTypes: 'docker' })
    const { config, layers } = image.manifest
    t.deepEqual(docker.manifest, {
      schemaVersion: 2,
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      config: { ...config, mediaType: 'application/vnd.docker.container.image.v1+json' },
      layers: layers.map((layer) => ({
        ...layer,
        mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      })),
    })
    // skopeo's copy of the same image.
    sh('skopeo --insecure-policy copy -q --format v2s2 oci:images:oci dir:v2s2', base)
    const theirs = JSON.parse(sh('cat v2s2/manifest.json', base)) as object
    t.deepEqual(theirs, JSON.parse(JSON.stringify(docker.manifest)))
    const back = await docker.convert({ layout, tag: 'back' })
    t.deepEqual(back.manifest.config, config)
    t.deepEqual(back.manifest.layers, layers)
    const plain = await image.convert({
      layout: join(base, 'new'),
      mediaTypes: 'docker',
      compression: 'none',
    })
    t.true(plain.manifest.layers.every(({ mediaType }) => mediaType.endsWith('.diff.tar')))
    const refused = { code: 'ERR_UNSUPPORTED_IMAGE', message: /cannot express zstd/ } as never
    await t.throwsAsync(image.convert({ layout, mediaTypes: 'docker', compression: 'zstd' }), refused)
    const wrong = { layout, mediaTypes: 'podman' } as never
    await t.throwsAsync(image.convert(wrong), { code: 'ERR_INVALID_OPTION' } as never)
  },
)

// libarchive leaves attributes of the system alone.
const EXTRACT: [program: string, command: string, options: TreeOptions][] = [
  ['tar', "tar --xattrs --xattrs-include='*' --numeric-owner", {}],
  ['bsdtar', 'bsdtar --xattrs --numeric-owner', { without: ['.', 'rich/empty', 'rich/setgid'] }],
]
for (const [program, command, options] of EXTRACT) {
  using(program)(`${program} extracts an exported root file system to the same tree`, async (t) => {
    const base = scratch(t)
    const image = await writeImage(base)
    const ours = await unpacked(image, base, options)
    await pipeline(image.exportRootfs(), createWriteStream(join(base, 'exported.tar')))
    sh(`mkdir theirs && ${command} -C theirs -xpf exported.tar`, base)
    same(t, ours, readTree(join(base, 'theirs'), options), program)
  })
}

/** podman with its storage below `base`, which is removed with it. */
function podman(base: string): (args: string) => string {
  // The current limits: podman's defaults need more privileges than root has inside a container.
  writeFileSync(
    join(base, 'containers.conf'),
    `[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\nlog_driver = "none"\n` +
      `[engine]\nevents_logger = "none"\ncgroup_manager = "cgroupfs"\nlock_type = "file"\n`,
  )
  const options = `--root ${base}/storage --runroot ${base}/runroot --tmpdir ${base}/tmp --storage-driver vfs`
  return (args) => sh(`CONTAINERS_CONF=${base}/containers.conf podman ${options} ${args}`, base)
}

using('podman', 'busybox')('podman runs every form, and its container sees what ours sees', async (t) => {
  const base = scratch(t)
  const image = await writeImage(base)
  const store = new Store({ root: join(base, 'store'), durability: 'none' })
  const runtime = new Runtime({ root: join(base, 'run'), store })
  const { stdout: ours } = await runtime.run(image)
  t.regex(ours, /^uid=33\(web\) gid=34\(web\) groups=34\(web\)\n\/srv\/work\nb c \/srv\n/)
  t.regex(ours, /\/set-id regular file 6755 33:34 10 1000000000\n/)
  t.regex(ours, /\ngone\n$/)
  for (const [transport, ...rest] of FORMS.slice(1).map((form) => form.split(':'))) {
    await copyImage(`oci:${base}/images:box`, { to: `${transport}:${base}/${rest.join(':')}` })
  }
  const run = podman(base)
  for (const get of ['pull -q oci:images:box', 'load -q -i oci.tar', 'load -q -i docker.tar']) {
    const said = run(get).trim()
    const id = said.startsWith('Loaded') ? said.slice(said.lastIndexOf(' ') + 1) : said
    t.is(run(`image inspect --format {{.Id}} ${id}`).trim(), image.manifest.config.digest.slice(7), get)
    t.is(run(`run --rm --network=none --cgroups=disabled ${id}`), ours, get)
    run(`rmi -a -f`)
  }
})
