/** An exported root file system in the hands of tar. */
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { Image } from '../../../ts/image/index.ts'
import { asEach } from '../command/user.ts'

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
