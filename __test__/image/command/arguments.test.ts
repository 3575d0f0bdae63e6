/** Arguments that every verb refuses before it writes anything. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { start } from './small-image.ts'
import { asEach } from './user.ts'

/** Arguments after `--image`, other requirements of a verb, and whether it names a new image. */
const verbs: Record<string, { rest: string[]; tag?: boolean; write?: boolean }> = {
  unpack: { rest: ['target'] },
  'runtime-config': { rest: ['target'] },
  inspect: { rest: [] },
  config: { rest: [], tag: true, write: true },
  insert: { rest: ['src', '/x'], tag: true, write: true },
  'add-layer': { rest: ['l.tar'], tag: true, write: true },
  tag: { rest: ['new'] },
  rm: { rest: [] },
}

for (const [verb, { rest, tag, write }] of Object.entries(verbs)) {
  asEach(`${verb} refuses invalid arguments and changes nothing`, (t, user) => {
    start(user)
    user.sh('tar -C src -cf l.tar .')
    const state = (): unknown => [
      readdirSync(user.folder).sort(),
      readFileSync(join(user.folder, 'im/index.json'), 'utf8'),
      readdirSync(join(user.folder, 'im/blobs/sha256')).sort(),
    ]
    const before = state()
    const image = ['--image', 'im:a']
    const words: string[][] = [
      [],
      ...(rest.length > 0 ? [image, rest, [...image, ...rest.slice(0, -1), '']] : []),
      ['--image', ':a', ...rest],
      ['--image', '', ...rest],
      ['--image', 'nosuch:a', ...rest],
      ['--image', 'im:', ...rest],
      ['--image', 'im:nosuch', ...rest],
      ['--image', 'im:.bad//tag', ...rest],
      ['--no-such-flag', ...image, ...rest],
      [...image, ...rest, 'one-too-many'],
      ...(tag
        ? [
            ['--tag', '', ...image, ...rest],
            ['--tag', '.bad//tag', ...image, ...rest],
          ]
        : []),
      ...(write
        ? [
            ['--no-history', '--history.author', 'x', ...image, ...rest],
            ['--history.created', 'yesterday', ...image, ...rest],
          ]
        : []),
    ]
    for (const each of words) {
      const { status, stderr } = user.try([verb, ...each])
      t.is(status, 1, `${verb} ${JSON.stringify(each)}`)
      t.not(stderr, '')
    }
    t.deepEqual(state(), before)
  })
}

asEach('repack, init, gc and list refuse invalid arguments, too', (t, user) => {
  start(user)
  user.image('unpack --image im:a b')
  const cases: string[][] = [
    ['repack'],
    ['repack', '--image', 'im:b'],
    ['repack', 'b'],
    ['repack', '--image', ':b', 'b'],
    ['repack', '--image', 'nosuch:b', 'b'],
    ['repack', '--image', 'im:', 'b'],
    ['repack', '--image', 'im:.bad//tag', 'b'],
    ['repack', '--image', 'im:b', 'nosuch'],
    ['repack', '--image', 'im:b', ''],
    ['repack', '--image', 'im:b', 'b', 'more'],
    ['repack', '--no-such-flag', '--image', 'im:b', 'b'],
    ['repack', '--image', 'im:b', '--compress=lzma', 'b'],
    ['repack', '--image', 'im:b', '--no-history', '--history.author', 'x', 'b'],
    ['repack', '--image', 'im:b', '--history.created', 'yesterday', 'b'],
    ['init'],
    ['init', '--layout', ''],
    ['init', '--layout', 'im'],
    ['init', '--layout', 'new', 'more'],
    ['init', '--no-such-flag', '--layout', 'new'],
    ['gc'],
    ['gc', '--layout', ''],
    ['gc', '--layout', 'nosuch'],
    ['gc', '--layout', 'im', 'more'],
    ['gc', '--no-such-flag', '--layout', 'im'],
    ['list'],
    ['list', '--layout', ''],
    ['list', '--layout', 'nosuch'],
    ['list', '--layout', 'im', 'more'],
    ['new'],
    ['new', '--image', ':x'],
    ['new', '--image', 'im:'],
    ['new', '--image', 'im:.bad//tag'],
    ['new', '--image', 'im:x', 'more'],
    ['insert', '--image', 'im:a', '', '/x'],
    ['insert', '--image', 'im:a', '--whiteout', ''],
    ['insert', '--image', 'im:a', '--whiteout', '/x', 'more'],
    ['insert', '--image', 'im:a', 'src', '/x/.wh.y'],
    ['insert', '--image', 'im:a', '--whiteout', '/x/.wh.y'],
    ['insert', '--image', 'im:a', '--compress=lzma', 'src', '/x'],
  ]
  for (const words of cases) t.is(user.try(words).status, 1, JSON.stringify(words))
  t.is(user.image('list --layout im'), 'a\n')
  t.deepEqual(readdirSync(user.folder).sort(), ['b', 'im', 'src'])
})

asEach("every verb has help, under every name, and umoci's names are known", (t, user) => {
  const names =
    'init new ls list inspect stat unpack runtime-config repack config insert add-layer tag rm remove gc'
  for (const name of names.split(' ')) {
    for (const flag of ['--help', '-h']) {
      const { status, stdout } = user.try([name, flag])
      t.is(status, 0, name)
      t.regex(stdout, /^NAME:\n +caisson image [a-z-]+ - /, name)
    }
  }
})
