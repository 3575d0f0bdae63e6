/** An exported root file system in the hands of tar. */
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import test from 'ava'
import { Image } from '../../../ts/image/index.ts'
import { asEach } from '../command/user.ts'
import { scratch, tar, writeLayout } from '../fixture.ts'

const mtime = 1_234_567_890

asEach('tar fills directories that are not writable, and sets their times', async (t, user) => {
  const directory = (path: string, mode: number): object => ({ path, type: 'directory', mode, mtime })
  const image = await Image.build({
    layout: join(user.folder, 'layout'),
    layers: [
      {
        entries: [
          directory('/bin', 0o555),
          { path: '/bin/a', content: 'a' },
          directory('/etc', 0o755),
        ] as never,
      },
      {
        entries: [
          { path: '/etc/b', content: 'b' },
          directory('/etc', 0o755),
          { path: '/bin/c', content: 'c' },
          directory('/bin', 0o555),
        ] as never,
      },
    ],
  })
  writeFileSync(join(user.folder, 'rootfs.tar'), await buffer(image.exportRootfs()))
  user.sh('mkdir out; tar -C out -xf rootfs.tar')
  for (const [path, mode] of [
    ['bin', 0o555],
    ['etc', 0o755],
  ] as const) {
    const status = statSync(join(user.folder, 'out', path))
    t.is(status.mode & 0o777, mode, path)
    t.is(status.mtimeMs, mtime * 1000, path)
  }
  t.is(user.sh('cat out/bin/a out/bin/c out/etc/b'), 'acb')
  user.sh('chmod u+w out/bin')
})

test('attributes that would steer an overlay are not in what is written of an image', async (t) => {
  const layout = join(scratch(t), 'images')
  const pax = {
    'SCHILY.xattr.trusted.overlay.opaque': 'y',
    'SCHILY.xattr.user.overlay.redirect': '/x',
    'SCHILY.xattr.user.kept': '1',
  }
  writeLayout(layout, [tar([{ name: 'd/', pax }]), tar([{ name: 'f', content: 'x', pax }])])
  const image = await Image.open(`oci:${layout}:test`)
  const squashed = await image.squash({ layout, compression: 'none' })
  const above = await image.squash({ layout, keep: 1, compression: 'none' })
  const layers = [squashed.manifest.layers[0]!, above.manifest.layers[1]!]
  const written = await Promise.all([
    buffer(image.exportRootfs()),
    ...layers.map((layer) => buffer(image.blob(layer))),
  ])
  for (const bytes of written) {
    t.true(bytes.includes('user.kept'))
    t.false(bytes.includes('overlay.'))
  }
})

test('a time that the first layer does not tell survives squashing above it', async (t) => {
  const layout = join(scratch(t), 'images')
  writeLayout(layout, [tar([{ name: 'd/f', content: 'x' }]), tar([{ name: 'd/', mode: 0o755, mtime: 77 }])])
  const image = await Image.open(`oci:${layout}:test`)
  const squashed = await image.squash({ layout, keep: 1 })
  t.is(squashed.manifest.layers.length, 2)
  t.deepEqual((await image.diff(squashed)).files ?? [], [])
  const out = join(scratch(t), 'out')
  await squashed.unpackRootfs(out)
  t.is(statSync(join(out, 'd')).mtimeMs, 77_000)
})

test('a slash after the name of a file leads to nothing, as anywhere', async (t) => {
  const layout = join(scratch(t), 'images')
  writeLayout(layout, [
    tar([
      { name: 'f', content: 'x' },
      { name: 'l', type: '2', link: 'f/' },
    ]),
  ])
  const image = await Image.open(`oci:${layout}:test`)
  t.is((await buffer(image.readFile('/f'))).toString(), 'x')
  for (const path of ['/f/', '/l']) await t.throwsAsync(buffer(image.readFile(path)))
})
