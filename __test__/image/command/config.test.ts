/** `image config`, and each field in the next bundle. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RuntimeSpec } from '../../../ts/spec/index.ts'
import { inspect, start } from './small-image.ts'
import { asEach, type User } from './user.ts'

const PREFIX = 'org.opencontainers.image.'
let serial = 0

/** The bundle's config.json of an image, which `runtime-config` writes, too. */
function bundle(user: User, image = 'im:a', ...more: string[]): RuntimeSpec {
  const name = `bundle-${serial++}`
  user.image(['unpack', '--image', image, ...more, name])
  user.image(['runtime-config', '--image', image, '--rootfs', `${name}/rootfs`, ...more, `${name}.json`])
  user.sh(`cmp ${name}/config.json ${name}.json`)
  return JSON.parse(readFileSync(join(user.folder, `${name}.json`), 'utf8')) as RuntimeSpec
}

const config = (user: User, ...words: string[]): string => user.image(['config', '--image', 'im:a', ...words])

asEach('an empty change changes only the history', (t, user) => {
  start(user)
  user.image('config --image im:a --tag b')
  t.deepEqual(bundle(user, 'im:b'), bundle(user))
  const [before, after] = [inspect(user).config, inspect(user, 'im:b').config]
  t.is(after.history!.length, before.history!.length + 1)
  t.true(after.history!.at(-1)!.empty_layer)
  t.is(after.created, before.created)
})

asEach('users are looked up in the bundle, each time', (t, user) => {
  start(user)
  user.image('unpack --image im:a b')
  user.sh(`echo 'test:x:1337:8888:test user:/my home dir :/bin/sh' >>b/rootfs/etc/passwd
    printf 'other:x:2581:root,test\\ngroup:x:9001:test\\nempty:x:2222:\\n' >>b/rootfs/etc/group`)
  user.image('repack --image im:a --refresh-bundle b')
  const as = (name: string): unknown[] => {
    config(user, `--config.user=${name}`)
    const { user: ids, env } = bundle(user).process!
    return [ids?.uid, ids?.gid, ids?.additionalGids ?? [], env?.find((entry) => entry.startsWith('HOME='))]
  }
  const groups = (...ids: number[]): number[] => (user.ordinary ? [] : ids)
  t.deepEqual(as('test'), [1337, 8888, groups(8888, 2581, 9001), 'HOME=/my home dir '])
  t.deepEqual(as('test:empty'), [1337, 2222, groups(2222), 'HOME=/my home dir '])
  t.is(inspect(user).config.config?.['User'], 'test:empty')
  user.sh(`sed -i 's|^test:x:1337:8888:test user:/my home dir :|test:x:3333:2321:a:/another  home:|' b/rootfs/etc/passwd
    sed -i 's|^empty:x:2222:|empty:x:4444:|' b/rootfs/etc/group`)
  user.image('repack --image im:a b')
  t.deepEqual(as('test:empty'), [3333, 4444, groups(4444), 'HOME=/another  home'])
})

asEach('the environment has each variable once, and what is missing is added', (t, user) => {
  start(user)
  config(user, '--config.env', 'A=unused', '--config.env', 'HOME=/other/home')
  config(user, '--config.env', 'B=what', '--config.env', 'A=test')
  t.deepEqual(inspect(user).config.config?.['Env'], ['A=test', 'HOME=/other/home', 'B=what'])
  const env = bundle(user).process!.env!
  const names = env.map((entry) => entry.split('=')[0])
  t.is(new Set(names).size, names.length)
  t.true(['A=test', 'B=what', 'HOME=/other/home'].every((entry) => env.includes(entry)))
  config(user, '--clear=config.env')
  const bare = bundle(user).process!.env!
  t.deepEqual(
    bare.map((entry) => entry.split('=')[0]),
    ['PATH', 'HOME'],
  )
})

asEach('entrypoint and command, together, alone, and without both', (t, user) => {
  start(user)
  const args = (): readonly string[] | undefined => bundle(user).process?.args
  config(user, '--config.cmd', 'cat', '--config.cmd', '/a file with spaces', '--config.cmd', '-v')
  t.deepEqual(args(), ['cat', '/a file with spaces', '-v'])
  config(
    user,
    '--config.entrypoint',
    'sh',
    '--config.entrypoint',
    '/here is/',
    '--config.cmd',
    '-c',
    '--config.cmd',
    'ls -la',
  )
  t.deepEqual(args(), ['sh', '/here is/', '-c', 'ls -la'])
  user.image('config --image im:a --tag one --clear=config.entrypoint')
  user.image('config --image im:a --tag two --clear=config.cmd')
  user.image('config --image im:a --tag none --clear=config.cmd --clear=config.entrypoint')
  t.deepEqual(bundle(user, 'im:one').process?.args, ['-c', 'ls -la'])
  t.deepEqual(bundle(user, 'im:two').process?.args, ['sh', '/here is/'])
  t.deepEqual(bundle(user, 'im:none').process?.args, ['sh'])
})

asEach('volumes are added, cleared, and replaced', (t, user) => {
  start(user)
  const mounts = (): string[] =>
    bundle(user)
      .mounts!.filter(({ source }) => source === 'none')
      .filter(({ type }) => type === 'tmpfs')
      .map(({ destination }) => destination)
  config(user, '--config.volume', '/volume')
  t.deepEqual(mounts(), ['/volume'])
  config(user, '--config.volume', '/another volume', '--config.volume', '/v,w')
  t.deepEqual(mounts(), ['/another volume', '/v,w', '/volume'])
  config(user, '--clear=config.volume')
  t.deepEqual(mounts(), [])
  config(user, '--config.volume', '/old')
  config(user, '--clear=config.volume', '--config.volume', '/new')
  t.deepEqual(mounts(), ['/new'])
})

asEach('labels, ports, signal, author, times and platform are annotations of the bundle', (t, user) => {
  start(user)
  config(
    user,
    '--clear=config.labels',
    '--clear=manifest.annotations',
    '--config.label=com.example.test=1',
    '--config.label=com.example.empty=',
    '--config.exposedports=2000',
    '--config.exposedports=8080/tcp',
    '--config.exposedports=1234/tcp',
    '--config.stopsignal=SIGUSR1',
    '--config.workingdir=/a/fake/directory',
    '--author=Some Body <some@body.example>',
    '--created=2016-03-25T12:34:02.655002+11:00',
    '--os=linux',
    '--platform.arch=arm64',
    '--platform.variant=v9',
  )
  const { annotations, process } = bundle(user, 'im:a', '--platform', 'linux/arm64/v9')
  t.deepEqual(annotations, {
    'com.example.test': '1',
    'com.example.empty': '',
    [`${PREFIX}os`]: 'linux',
    [`${PREFIX}architecture`]: 'arm64',
    [`${PREFIX}variant`]: 'v9',
    [`${PREFIX}author`]: 'Some Body <some@body.example>',
    [`${PREFIX}created`]: '2016-03-25T12:34:02.655002+11:00',
    [`${PREFIX}stopSignal`]: 'SIGUSR1',
    [`${PREFIX}exposedPorts`]: '1234/tcp,2000,8080/tcp',
  })
  t.is(process?.cwd, '/a/fake/directory')
  const platform = ['--platform', 'linux/arm64/v9']
  // Another architecture has no variant of the old one.
  config(user, ...platform, '--architecture', 'mips64')
  const other = inspect(user, 'im:a --platform linux/mips64').config
  t.deepEqual([other.architecture, other.variant], ['mips64', undefined])
  // An image for another system than Linux makes no bundle.
  user.image(['config', '--image', 'im:a', '--platform', 'linux/mips64', '--platform.os', 'plan9'])
  const refused = user.try('unpack --image im:a --platform plan9/mips64 no')
  t.is(refused.status, 1)
  t.regex(refused.stderr, /plan9/)
})

asEach('history names the author, unless it is overridden or left out', (t, user) => {
  start(user)
  const last = (): object => inspect(user).config.history!.at(-1)!
  config(user, '--author=Some Body')
  t.like(last(), { author: 'Some Body', created_by: 'caisson image config', empty_layer: true })
  const told = [
    'Other <other@example.test>',
    '/* no comment */',
    '-- by hand --',
    '2016-12-09T04:45:40+11:00',
  ]
  config(
    user,
    `--history.author=${told[0]}`,
    `--history.comment=${told[1]}`,
    `--history.created_by=${told[2]}`,
    `--history.created=${told[3]}`,
    '--author=Another',
  )
  t.deepEqual(last(), {
    author: told[0],
    comment: told[1],
    created_by: told[2],
    created: told[3],
    empty_layer: true,
  })
  t.is(inspect(user).config.author, 'Another')
  const before = inspect(user).config.history
  config(user, '--no-history', '--author=Third')
  t.deepEqual(inspect(user).config.history, before)
  t.is(bundle(user).annotations?.[`${PREFIX}author`], 'Third')
})
