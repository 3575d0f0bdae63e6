/** The option `user`: groups and names from the root file system, as Docker and podman have them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Image, Runtime, type Source, type SpecOptions } from '../../../ts/index.ts'
import { bundle } from '../../fixtures/bundle.ts'
import { needs } from '../../fixtures/needs.ts'
import { makeRootfs, scratch } from '../../fixtures/rootfs.ts'

const folder = scratch('user')
const runtime = new Runtime({ root: join(folder, 'root'), store: join(folder, 'store') })
const rootfs = makeRootfs(join(folder, 'rootfs'))
writeFileSync(
  join(rootfs, 'etc/passwd'),
  'root:x:0:0:root:/root:/bin/sh\nweb:x:101:103::/tmp:/bin/sh\nalone:x:102:102::/:/bin/sh\n',
)
writeFileSync(
  join(rootfs, 'etc/group'),
  'root:x:0:\nweb:x:103:\nstaff:x:50:\nlogs:x:200:alone,web\nmedia:x:44:web\n',
)

const privileged = needs('root')
const who = async (source: Source, user: SpecOptions['user']): Promise<string> => {
  const line = 'echo $(id -u) $(id -g) $(id -G) $HOME'
  return (await runtime.run(source, ['sh', '-c', line], { user })).stdout.trim()
}

const users: [SpecOptions['user'], string][] = [
  [101, '101 103 103 44 200 /tmp'],
  ['101', '101 103 103 44 200 /tmp'],
  ['web', '101 103 103 44 200 /tmp'],
  ['alone', '102 102 102 200 /'],
  ['web:staff', '101 50 50 /tmp'],
  ['101:50', '101 50 50 /tmp'],
  [{ uid: 101 }, '101 103 103 44 200 /tmp'],
  [{ uid: 101, gid: 50 }, '101 50 50 /tmp'],
  [{ uid: 101, additionalGids: [7] }, '101 103 103 7 /tmp'],
  [{ uid: 101, gid: 50, additionalGids: [7] }, '101 50 50 7 /tmp'],
  // Not in passwd: no user's groups, and the group that Docker and podman give.
  [4711, '4711 0 0 /'],
  ['4711:50', '4711 50 50 /'],
]

privileged('a user of a root file system has its groups and its home', async (t) => {
  for (const [user, expected] of users) t.is(await who({ rootfs }, user), expected, JSON.stringify(user))
})

privileged('a user of a bundle, of an image and of the host', async (t) => {
  const made = bundle({ edit: (spec) => (spec.root!.path = rootfs) })
  t.is(await who({ bundle: made }, 'web'), '101 103 103 44 200 /tmp')
  const layout = join(folder, 'layout')
  const image = await Image.build({
    layout,
    tag: 'users',
    layers: [{ directory: rootfs }],
    config: { config: { User: 'alone' } },
  })
  t.is(await who(image, undefined), '102 102 102 200 /')
  t.is(await who(image, 101), '101 103 103 44 200 /tmp')
  t.is(await who(image, 'web:staff'), '101 50 50 /tmp')
  t.is(await who('host', 'nobody'), '65534 65534 65534 /nonexistent')
  t.is(await who('host', undefined), '0 0 0 /root')
})

test('a missing user or group is refused', async (t) => {
  for (const user of ['nobody', 'web:nobody', '-1', '4294967295', 'web:4294967295']) {
    const error = await t.throwsAsync(async () => void (await runtime.run({ rootfs }, ['id'], { user })), {
      code: 'ERR_INVALID_OPTION',
    })
    t.regex(error.message, /^options: user: /, user)
  }
})
