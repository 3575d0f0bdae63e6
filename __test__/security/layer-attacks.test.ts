/**
 * The attack matrix: every archive tries to reach a canary outside its root, as root and as an ordinary user. Nothing
 * outside may change, whether the archive is refused or clamped.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { removeTree } from '../../ts/native/layer.ts'
import type { UnpackOptions } from '../../ts/image/index.ts'
import { rawEntry, tar, writeLayout, type TestEntry } from '../image/fixture.ts'

type Archive = readonly (TestEntry | Buffer)[]
interface Attack {
  title: string
  /** Bottom first. OUTSIDE and CANARY in links are replaced by absolute paths of this test. */
  layers: Archive[]
  options?: UnpackOptions
  /** Expected code; undefined where the archive is harmless once clamped. */
  code?: string
  /** Paths in the root that must be there afterwards, with content, or a link with `-> target`. */
  inside?: Record<string, string>
  absent?: string[]
}

const file = (name: string, content = 'evil'): TestEntry => ({ name, content })
const link = (name: string, target: string): TestEntry => ({ name, type: '2', link: target })
const hard = (name: string, target: string): TestEntry => ({ name, type: '1', link: target })
const UNSAFE = 'ERR_LAYER_UNSAFE'
const INVALID = 'ERR_LAYER_INVALID'
const LIMIT = 'ERR_LIMIT_EXCEEDED'

const attacks: Attack[] = [
  { title: 'a name with ..', layers: [[file('../canary')]], inside: { canary: 'evil' } },
  { title: 'a name with /..', layers: [[file('/../../canary')]], inside: { canary: 'evil' } },
  { title: 'a name that climbs later', layers: [[file('a/../../canary')]], inside: { canary: 'evil' } },
  { title: 'an absolute name', layers: [[file('CANARY')]] },
  {
    title: 'writing through a link to the root',
    layers: [[link('l', '/'), file('l/x')]],
    inside: { x: 'evil' },
  },
  { title: 'writing through an absolute link', layers: [[link('l', 'OUTSIDE'), file('l/canary')]] },
  { title: 'writing through a relative link', layers: [[link('l', '../outside'), file('l/canary')]] },
  {
    title: 'writing through a chain of links',
    layers: [[link('a', 'b/../..'), { name: 'b/' }, link('c', 'a/../outside'), file('c/canary')]],
  },
  { title: 'writing through a link of a lower layer', layers: [[link('l', 'OUTSIDE')], [file('l/canary')]] },
  { title: 'a loop of links', layers: [[link('a', 'b'), link('b', 'a'), file('a/x')]], code: UNSAFE },
  { title: 'a link to procfs', layers: [[link('l', '/proc/self/root'), file('l/canary')]] },
  { title: 'a file over a link', layers: [[link('l', 'CANARY'), file('l')]], inside: { l: 'evil' } },
  {
    title: 'CVE-2026-33056: a directory over a link does not change its target',
    layers: [[link('l', 'OUTSIDE'), { name: 'l/', mode: 0o777, uid: 7, gid: 7 }]],
  },
  {
    title: 'a directory over a link of a lower layer',
    layers: [[link('l', 'OUTSIDE')], [{ name: 'l/', mode: 0o777 }]],
  },
  ...(
    [
      ['an absolute link', [link('l', 'OUTSIDE')], 'l'],
      ['a link that climbs', [link('l', '../outside')], 'l'],
      ['a link to the root', [link('l', '/')], 'l'],
      ['a link to the root, then outside', [link('l', '/../outside')], 'l'],
      ['a chain of links', [link('a', 'OUTSIDE'), link('l', 'a')], 'l'],
      ['a link in the middle', [link('a', '..'), { name: 'outside/' }, link('l', 'a/outside')], 'l'],
      ['a link to procfs', [link('l', '/proc/self/cwd')], 'l'],
      ['a link to a descriptor', [link('l', '/proc/self/fd/3')], 'l'],
      ['a loop of links', [link('a', 'l'), link('l', 'a')], 'l'],
      ['a link to nothing', [link('l', '/nowhere')], 'l'],
      ['a link to a file', [file('f', 'kept'), link('l', 'f')], 'l'],
      ['a link below a link', [{ name: 'd/' }, link('d/l', 'OUTSIDE'), link('m', 'd')], 'm/l'],
    ] as [title: string, links: TestEntry[], name: string][]
  ).flatMap(([title, links, name]): Attack[] => {
    // As one layer and as two: the layer below may be known or not.
    const onto = [
      { name: `${name}/`, mode: 0o777, uid: 7, gid: 7 },
      file(`${name}/canary`),
      file(`${name}/.wh.directory`),
      { name: `${name}/sub/`, mode: 0o777 },
      hard(`${name}/hard`, `${name}/canary`),
    ]
    const options = { keepDirlinks: true }
    return [
      { title: `CVE-2026-33056: with kept links, a directory onto ${title}`, layers: [links, onto], options },
      { title: `the same in one layer: ${title}`, layers: [[...links, ...onto]], options },
    ]
  }),
  {
    title: 'CVE-2021-29136: the root as a link',
    layers: [[link('.', 'OUTSIDE')], [file('canary')]],
    code: UNSAFE,
  },
  { title: 'the root as an absolute link', layers: [[link('/', 'OUTSIDE')]], code: UNSAFE },
  { title: 'the root as a file', layers: [[{ name: './' }], [file('.')]], code: UNSAFE },
  { title: 'the root by ..', layers: [[link('a/..', 'OUTSIDE')]], code: UNSAFE },
  { title: 'a hard link with ..', layers: [[hard('h', '../../outside/canary'), file('h')]], code: INVALID },
  { title: 'a hard link to an absolute path', layers: [[hard('h', 'CANARY'), file('h')]], code: INVALID },
  {
    title: 'a hard link through a link to a directory',
    layers: [[link('l', 'OUTSIDE'), hard('h', 'l/canary'), file('h')]],
    code: INVALID,
  },
  {
    title: 'CVE-2026-26960: a hard link through a chain of two links',
    layers: [[link('a', 'b'), link('b', 'OUTSIDE'), hard('h', 'a/canary')]],
    code: INVALID,
  },
  {
    title: 'a hard link to a link, then a write',
    layers: [[link('l', 'CANARY'), hard('h', 'l'), { name: 'h', content: 'evil', mode: 0o777 }]],
    inside: { h: 'evil', l: '-> CANARY' },
  },
  { title: 'a hard link to the root', layers: [[hard('h', '/')]], code: UNSAFE },
  { title: 'a hard link in place of the root', layers: [[file('f'), hard('/', 'f')]], code: UNSAFE },
  { title: 'a hard link to a directory', layers: [[{ name: 'd/' }, hard('h', 'd')]], code: UNSAFE },
  { title: 'a hard link to itself', layers: [[file('f', 'kept'), hard('f', 'f')]], inside: { f: 'kept' } },
  { title: 'a hard link to nothing', layers: [[hard('h', 'nowhere')]], code: INVALID },
  { title: 'a whiteout of .', layers: [[file('a/b')], [file('a/.wh..')]], code: UNSAFE },
  { title: 'a whiteout of ..', layers: [[file('a/b')], [file('a/.wh...')]], code: UNSAFE },
  { title: 'a whiteout of the parent of the root', layers: [[file('a')], [file('.wh...')]], code: UNSAFE },
  { title: 'a whiteout of the root', layers: [[file('a')], [file('.wh..')]], code: UNSAFE },
  { title: 'a whiteout below a whiteout', layers: [[file('a/b')], [file('.wh.a/b')]], code: UNSAFE },
  { title: 'a whiteout of nothing', layers: [[file('a')], [file('.wh.')]], code: UNSAFE },
  {
    title: 'a whiteout through a link',
    layers: [[link('l', 'OUTSIDE')], [file('l/.wh.canary')]],
    inside: { l: '-> OUTSIDE' },
  },
  {
    title: 'a whiteout with ..',
    layers: [[file('a')], [file('../outside/.wh.canary')]],
    inside: { a: 'evil' },
  },
  { title: 'an opaque marker through a link', layers: [[link('l', 'OUTSIDE')], [file('l/.wh..wh..opq')]] },
  {
    title: 'a whiteout of a link',
    layers: [
      [link('l', 'CANARY'), link('dead', '/nowhere')],
      [file('.wh.l'), file('.wh.dead')],
    ],
    absent: ['l', 'dead'],
  },
  {
    title: 'an opaque directory holding a link',
    layers: [[{ name: 'd/' }, link('d/l', 'OUTSIDE')], [file('d/.wh..wh..opq')]],
    absent: ['d/l'],
  },
  {
    title: 'CVE-2025-62518: a PAX size smuggles no entry',
    layers: [
      [
        // The header says 0 bytes, PAX says 1024: what follows is content, not an entry.
        { name: 'f', pax: { size: '1024' }, size: 0, content: rawEntry(file('smuggled', 'x')) },
        file('last'),
      ],
    ],
    inside: { last: 'evil' },
    absent: ['smuggled'],
  },
  {
    title: 'CVE-2025-62518: a PAX size before a long name belongs to the file',
    layers: [
      [
        rawEntry({ name: 'pax', type: 'x', content: '13 size=1024\n' }),
        rawEntry({ name: '././@LongLink', type: 'L', content: 'named\0' }),
        { name: 'short', size: 0, content: rawEntry(file('smuggled', 'x')) },
        file('last'),
      ],
    ],
    inside: { last: 'evil' },
    absent: ['smuggled', 'short'],
  },
  {
    title: 'a malformed PAX header',
    layers: [[rawEntry({ name: 'p', type: 'x', content: '99 path=x\n' }), file('x')]],
    code: INVALID,
  },
  {
    title: 'a PAX path that climbs',
    layers: [[{ name: 'x', content: 'evil', pax: { path: '../../outside/canary' } }]],
  },
  { title: 'a NUL in a PAX path', layers: [[{ name: 'x', pax: { path: 'a\0b' } }]], code: INVALID },
  {
    title: 'a device number out of range',
    layers: [[{ name: 'n', type: '3', major: 0o1000000, minor: 1 }]],
    code: INVALID,
  },
  {
    title: 'a PAX header that says to be 1 GiB long',
    layers: [[rawEntry({ name: 'p', type: 'x', size: 1 << 30 }), file('x')]],
    code: LIMIT,
  },
  {
    title: 'a long name that says to be 1 GiB long',
    layers: [[rawEntry({ name: 'l', type: 'L', size: 1 << 30 }), file('x')]],
    code: LIMIT,
  },
  {
    title: 'a path of a hundred thousand directories',
    layers: [[{ name: 'x', pax: { path: 'd/'.repeat(100_000) } }]],
    code: LIMIT,
  },
  {
    title: 'a million extended attributes',
    layers: [
      [
        rawEntry({
          name: 'p',
          type: 'x',
          content: Array.from({ length: 1e6 }, (_, index) => `29 SCHILY.xattr.user.${index + 1e6}=\n`).join(
            '',
          ),
        }),
        file('x'),
      ],
    ],
    code: LIMIT,
  },
  {
    title: 'a sparse file of 2^60 bytes',
    layers: [[{ name: 's', pax: { 'GNU.sparse.map': '', 'GNU.sparse.size': String(2 ** 60) } }]],
    code: LIMIT,
  },
  {
    title: 'a sparse map longer than its file',
    layers: [
      [
        {
          name: 's',
          content: '9999999\n0\n',
          pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '1' },
        },
      ],
    ],
    code: INVALID,
  },
  {
    title: 'zeros without end',
    layers: [[{ name: 'zeros', content: Buffer.alloc(100 << 20) }]],
    code: LIMIT,
  },
  {
    title: 'more entries than the limit',
    layers: [Array.from({ length: 1000 }, (_, index) => file(`f${index}`))],
    options: { limits: { entries: 999 } },
    code: LIMIT,
  },
  {
    title: 'an entry of a negative size',
    layers: [[rawEntry({ name: 'f', content: '' }).fill(0xff, 124, 136)]],
    code: INVALID,
  },
  {
    title: 'an entry of a size that wraps around',
    layers: [[{ name: 'f', content: '', pax: { size: '18446744073709551615' } }, file('x')]],
    code: INVALID,
  },
  { title: 'no archive at all', layers: [[Buffer.from('no tar'.padEnd(1024, '!'))]], code: INVALID },
  {
    title: 'an archive cut short',
    layers: [[rawEntry({ name: 'f', content: 'x', size: 1 << 20 })]],
    code: INVALID,
  },
  {
    title: 'a sparse map out of bounds',
    layers: [[{ name: 's', content: 'abcd', pax: { 'GNU.sparse.map': '0,4', 'GNU.sparse.size': '2' } }]],
    code: INVALID,
  },
]

const runner = fileURLToPath(new URL('./unpack-as.ts', import.meta.url))
const root = process.geteuid?.() === 0
const users = root ? [0, 54321] : [process.geteuid?.() ?? 0]

/** One attack, unpacked. */
interface Case {
  base: string
  outside: string
  before: object
  outcome?: { code: string | null; message: string }
}
const cases = new Map<string, Case>()
const key = (uid: number, attack: Attack): string => `${uid} ${attack.title}`

// One process for each user unpacks everything: starting one for each attack would take minutes.
test.before((t) => {
  const folder = mkdtempSync(join(tmpdir(), 'caisson-attacks-'))
  chmodSync(folder, 0o755)
  for (const uid of users) {
    const jobs = attacks.map((attack, index): [string, string, UnpackOptions?] => {
      const made = prepare(join(folder, `${uid}-${index}`), attack, uid)
      cases.set(key(uid, attack), made)
      return [join(made.base, 'images'), join(made.base, 'work', 'rootfs'), attack.options ?? {}]
    })
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import=@oxc-node/core/register', '--no-warnings', runner, String(uid)],
      {
        encoding: 'utf8',
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        env: { ...process.env, PATH: `${traps(folder)}:${process.env['PATH']}` },
        input: JSON.stringify(jobs),
      },
    )
    t.is(status, 0, stderr)
    const outcomes = JSON.parse(stdout) as NonNullable<Case['outcome']>[]
    for (const [index, attack] of attacks.entries()) {
      ;(cases.get(key(uid, attack)) as Case).outcome = outcomes[index]!
    }
  }
})

/** CVE-2026-41567: programs that a decompressor might look for. Running one leaves a mark. */
function traps(folder: string): string {
  const directory = join(folder, 'traps')
  mkdirSync(directory, { recursive: true })
  for (const name of ['unpigz', 'pigz', 'gzip', 'gunzip', 'igzip', 'zstd', 'tar', 'mknod', 'chown']) {
    writeFileSync(join(directory, name), `#!/bin/sh\necho ${name} >>${folder}/ran\n`, { mode: 0o755 })
  }
  return directory
}

test('no program was run', (t) => {
  const first = cases.values().next().value as Case
  t.false(existsSync(join(dirname(first.base), 'ran')))
})

test.after.always(async () => {
  const first = cases.values().next().value
  if (first) await removeTree(dirname(first.base))
})

function prepare(base: string, attack: Attack, uid: number): Case {
  const outside = join(base, 'outside')
  const work = join(base, 'work')
  for (const path of [base, outside, join(outside, 'directory'), work]) mkdirSync(path)
  writeFileSync(join(outside, 'canary'), 'canary')
  const layers = attack.layers.map((entries) =>
    tar(entries.map((entry) => (Buffer.isBuffer(entry) ? entry : rename(entry, outside)))),
  )
  writeLayout(join(base, 'images'), layers)
  // The user owns the outside, so that only the unpacker prevents access.
  const owned = [outside, join(outside, 'canary'), join(outside, 'directory'), work]
  if (root) for (const path of owned) chownSync(path, uid, uid)
  symlinkSync(outside, join(work, 'outside'))
  return { base, outside, before: tree(outside) }
}

for (const uid of users) {
  for (const attack of attacks) {
    test(`${attack.title} stays inside (${uid === 0 ? 'root' : `uid ${uid}`})`, (t) => {
      const { base, outside, before, outcome } = cases.get(key(uid, attack)) as Case
      const target = join(base, 'work', 'rootfs')
      t.is(outcome?.code, attack.code ?? null, outcome?.message)
      t.deepEqual(tree(outside), before, 'outside is unchanged')
      const left = attack.code === undefined ? ['outside', 'rootfs'] : ['outside']
      t.deepEqual(readdirSync(join(base, 'work')).sort(), left, 'complete or not at all')
      for (const [path, content] of Object.entries(attack.inside ?? {})) {
        const at = join(target, path)
        const found = lstatSync(at).isSymbolicLink() ? `-> ${readlinkSync(at)}` : readFileSync(at, 'utf8')
        t.is(found, named(content, outside), path)
      }
      for (const path of attack.absent ?? []) t.false(existsSync(join(target, path)), path)
    })
  }
}

if (!root) test.skip('the attacks as root: needs root', () => undefined)

function named(text: string, outside: string): string {
  return text.replace('OUTSIDE', outside).replace('CANARY', join(outside, 'canary'))
}

function rename(entry: TestEntry, outside: string): TestEntry {
  const link = entry.link === undefined ? {} : { link: named(entry.link, outside) }
  return { ...entry, name: named(entry.name, outside), ...link }
}

/** Everything that can be seen of a tree but access times. */
function tree(path: string): object {
  const { mode, uid, gid, size, mtimeMs, ctimeMs, nlink, ino } = lstatSync(path)
  const children = lstatSync(path).isDirectory()
    ? Object.fromEntries(readdirSync(path).map((name) => [name, tree(join(path, name))]))
    : readFileSync(path, 'utf8')
  return { mode, uid, gid, size, mtimeMs, ctimeMs, nlink, ino, children }
}
