/** A whole Debian, as debootstrap makes it: packed by us and read by others, packed by others and read by us. */
import { spawnSync } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import test from 'ava'
import { copyImage, Image } from '../../ts/image/index.ts'
import { readTree, treeDifferences, type Tree, type TreeOptions } from '../fixtures/tree.ts'
import { scratch } from './fixture.ts'
import { sh, using } from './peers.ts'

const MIRROR = 'http://deb.debian.org/debian/dists/stable/Release'

function reachesMirror(): boolean {
  const script = `fetch('${MIRROR}', { signal: AbortSignal.timeout(10000) }).then(({ ok }) => process.exit(ok ? 0 : 1))`
  return spawnSync(process.execPath, ['-e', script]).status === 0
}

// It takes a minute and a half, so it runs in CI and on request.
const wanted = process.env['CAISSON_TEST_DEBIAN'] === '1'
const obstacle = wanted
  ? reachesMirror()
    ? undefined
    : 'the mirror of Debian cannot be reached'
  : 'takes minutes: set CAISSON_TEST_DEBIAN=1'
if (obstacle) console.error(`skipped: a whole Debian: ${obstacle}`)
const debian = obstacle ? test.skip : using('debootstrap', 'umoci', 'skopeo', 'tar')

debian('a whole Debian, both ways', async (t) => {
  t.timeout(900_000)
  const base = scratch(t)
  sh('debootstrap --variant=minbase stable tree', base)
  const trees: Record<string, Tree> = {}
  const expected = (options: TreeOptions): Tree =>
    (trees[JSON.stringify(options)] ??= readTree(join(base, 'tree'), options))
  const same = (path: string, title: string, options: TreeOptions = { wholeSeconds: true }): void => {
    const differences = treeDifferences(readTree(join(base, path), options), expected(options))
    t.deepEqual(differences.slice(0, 20), [], title)
    sh(`rm -r ${path}`, base)
  }
  t.true(expected({ wholeSeconds: true }).size > 3000)

  // Packed by us, as a difference, which does not include the root itself.
  const layout = join(base, 'images')
  const image = await Image.build({ layout, tag: 'ours', layers: [{ directory: join(base, 'tree') }] })
  const below: TreeOptions = { wholeSeconds: true, without: ['.'] }
  sh('umoci unpack --image images:ours umoci && mv umoci/rootfs umoci-tree && rm -r umoci', base)
  same('umoci-tree', 'ours, by umoci', below)
  await pipeline(image.exportRootfs(), createWriteStream(join(base, 'exported.tar')))
  sh(`mkdir tar-tree && ${TAR} -C tar-tree -xpf exported.tar && rm exported.tar`, base)
  same('tar-tree', 'ours, by tar', below)
  await copyImage(`oci:${layout}:ours`, { to: `docker-archive:${base}/docker.tar:debian` })
  sh(
    'skopeo --insecure-policy copy -q docker-archive:docker.tar:debian oci:copied:debian && rm docker.tar',
    base,
  )
  const copied = await Image.open(`oci:${base}/copied:debian`)
  t.deepEqual(copied.config?.rootfs, image.config?.rootfs)
  await copied.unpackRootfs(join(base, 'skopeo-tree'))
  same('skopeo-tree', 'ours, by skopeo', below)

  // Packed by us as it lies there.
  await copyImage(`dir:${base}/tree`, { to: `oci:${layout}:directory` })
  await (await Image.open(`oci:${layout}:directory`)).unpackRootfs(join(base, 'directory-tree'))
  same('directory-tree', 'the directory')

  // Packed by others.
  sh(
    `${TAR} -C tree -cf tree.tar . && umoci new --image images:theirs &&
     umoci raw add-layer --image images:theirs tree.tar && gzip -1 tree.tar`,
    base,
  )
  for (const [reference, options] of [
    [`oci:${layout}:theirs`, { wholeSeconds: true }],
    [`tar:${base}/tree.tar.gz`, {}],
  ] as const) {
    await using theirs = await Image.open(reference)
    await theirs.unpackRootfs(join(base, 'theirs-tree'))
    same('theirs-tree', reference, options)
  }
})

const TAR = "tar --xattrs --xattrs-include='*' --numeric-owner"
