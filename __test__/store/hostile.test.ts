/**
 * Layers that try to reach a canary beside the store, or to steer the mount: the unpacker's attacks against the form
 * that overlays mount. Nothing outside may change, whether the image is refused or clamped.
 */
import { spawnSync } from 'node:child_process'
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Image, Store } from '../../ts/index.ts'
import { flattenLayers } from '../../ts/native/store.ts'
import { missing } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { tar, writeLayout, type TestEntry } from '../image/fixture.ts'

const file = (name: string, content = 'evil'): TestEntry => ({ name, content })
const link = (name: string, target: string): TestEntry => ({ name, type: '2', link: target })
const hard = (name: string, target: string): TestEntry => ({ name, type: '1', link: target })
const xattr = (name: string, key: string, value: string): TestEntry => ({
  name,
  pax: { [`SCHILY.xattr.${key}`]: value },
})

/** OUTSIDE is replaced by the directory of the canary. */
const attacks: Record<string, { layers: TestEntry[][]; code?: string }> = {
  'a whiteout through a link of a lower layer': { layers: [[link('l', 'OUTSIDE')], [file('l/.wh.canary')]] },
  'a whiteout through a chain of links': {
    layers: [[link('a', 'b'), link('b', 'OUTSIDE')], [file('a/.wh.canary')]],
  },
  'an opaque directory through a link': { layers: [[link('l', 'OUTSIDE')], [file('l/.wh..wh..opq')]] },
  'an opaque directory through ..': { layers: [[file('x')], [file('../../../.wh..wh..opq')]] },
  'a whiteout of ..': { layers: [[file('x')], [file('a/.wh...')]], code: 'ERR_LAYER_UNSAFE' },
  'a whiteout of the root': { layers: [[file('x')], [file('.wh..')]], code: 'ERR_LAYER_UNSAFE' },
  'writing through a link of a lower layer': { layers: [[link('l', 'OUTSIDE')], [file('l/canary')]] },
  'writing through a relative link of a lower layer': {
    layers: [[link('l', '../../../../../../../../../..OUTSIDE')], [file('l/canary')]],
  },
  'writing through links of two lower layers': {
    layers: [[link('a', 'OUTSIDE')], [link('b', 'a')], [file('b/canary'), file('b/deep/er/canary')]],
  },
  'a loop of links in a lower layer': {
    layers: [[link('a', 'b'), link('b', 'a')], [file('a/x')]],
    code: 'ERR_LAYER_UNSAFE',
  },
  'a link below itself': { layers: [[link('a', 'a/b')], [file('a/x')]], code: 'ERR_LAYER_UNSAFE' },
  'a hard link through a link of a lower layer': {
    layers: [[link('l', 'OUTSIDE')], [hard('h', 'l/canary'), file('h')]],
    code: 'ERR_LAYER_INVALID',
  },
  'a hard link to a link of a lower layer, then written': {
    layers: [[link('l', 'OUTSIDE/canary')], [hard('h', 'l'), file('h')]],
  },
  'a hard link to what the layer hides': {
    layers: [[file('x')], [file('.wh.x'), hard('h', 'x')]],
    code: 'ERR_LAYER_INVALID',
  },
  'a directory without an entry where a lower layer has a link': {
    layers: [[link('l', 'OUTSIDE')], [{ name: 'l/', mode: 0o777, uid: 7 }, file('l/canary')]],
  },
  'a link over a directory that others go through': {
    layers: [[{ name: 'd/' }], [link('d', 'OUTSIDE')], [file('d/canary'), file('d/.wh.canary')]],
  },
  'attributes that steer overlays': {
    layers: [
      [file('secret', 'lower'), { name: 'd/' }, file('d/f', 'lower')],
      [
        xattr('d/', 'trusted.overlay.opaque', 'y'),
        xattr('e/', 'trusted.overlay.redirect', '/d'),
        xattr('m', 'trusted.overlay.metacopy', ''),
        xattr('u/', 'user.overlay.opaque', 'y'),
        xattr('w', 'user.overlay.whiteout', ''),
      ],
    ],
  },
  'a device that overlays take for a whiteout': {
    layers: [[file('kept', 'lower')], [{ name: 'other', type: '3', major: 0, minor: 0 }]],
  },
}

const noPython = missing('python3')

for (const [title, { layers, code }] of Object.entries(attacks)) {
  test(title, async (t) => {
    const folder = scratch('hostile')
    const outside = join(folder, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'canary'), 'untouched')
    const before = [lstatSync(outside), lstatSync(join(outside, 'canary'))].map(({ mode, uid, ino }) => [
      mode,
      uid,
      ino,
    ])
    const aimed = layers.map((layer) =>
      tar(
        layer.map((entry) => ({
          ...entry,
          ...(entry.link ? { link: entry.link.replace('OUTSIDE', outside) } : {}),
        })),
      ),
    )
    writeLayout(join(folder, 'images'), aimed)
    const store = new Store({ root: join(folder, 'store'), durability: 'none' })
    const image = await Image.open(`oci:${folder}/images:test`)
    const prepare = store.prepare(image)
    if (code) {
      await t.throwsAsync(prepare, { code })
      t.deepEqual(readdirSync(join(store.root, 'ingest')), [])
      t.deepEqual((await store.list()).snapshots, [])
    } else {
      using snapshot = await prepare
      await flattenLayers(snapshot.layers, join(folder, 'merged'))
      await image.unpackRootfs(join(folder, 'flat'), { devices: 'skip' })
      const names = (path: string): string[] =>
        readdirSync(join(folder, path), { recursive: true, encoding: 'utf8' }).sort()
      t.deepEqual(
        names('merged'),
        names('flat').filter((name) => name !== 'other'),
      )
      if (!noPython) {
        const list =
          'import os,sys\nfor d,_,f in os.walk(sys.argv[1]):\n  for n in [d]+[os.path.join(d,x) for x in f]: print(*os.listxattr(n,follow_symlinks=False))'
        const { stdout } = spawnSync('python3', ['-c', list, store.root], { encoding: 'utf8' })
        t.false(stdout.includes('overlay'))
      }
    }
    t.deepEqual(readdirSync(outside), ['canary'])
    t.is(readFileSync(join(outside, 'canary'), 'utf8'), 'untouched')
    const after = [lstatSync(outside), lstatSync(join(outside, 'canary'))].map(({ mode, uid, ino }) => [
      mode,
      uid,
      ino,
    ])
    t.deepEqual(after, before)
  })
}
