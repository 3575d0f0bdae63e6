/** An ordinary user with ranges of ids: files have the owners that they have in the image. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { checkout } from '../fixtures/program.ts'
import type { TestEntry } from '../image/fixture.ts'
import { makeImage } from './images.ts'
import { answer, ranges, rootless } from './user.ts'

const more: TestEntry[] = [
  { name: 'private/', uid: 33, gid: 34, mode: 0o700 },
  { name: 'private/secret', content: 'secret', uid: 33, gid: 34, mode: 0o600 },
  { name: 'private/link', type: '2', link: 'secret', uid: 33, gid: 34 },
  { name: 'suid', content: 'x', uid: 33, gid: 34, mode: 0o6755 },
]

const line = `stat -c '%u:%g %a %n' / /usr/lib /private /private/secret /private/link /suid /original /opaque/new; cat /private/secret; echo
  mkdir /made; busybox chown -R 7:8 /made /usr/lib; stat -c '%u:%g' /made /usr/lib/b; rm /private/secret; ls /private /gone`

const seen = `0:0 750 /
3:4 2755 /usr/lib
33:34 700 /private
33:34 600 /private/secret
33:34 777 /private/link
33:34 6755 /suid
0:0 4755 /original
0:0 644 /opaque/new
secret
7:8
7:8
/gone:
again

/private:
link
`

const capabilities = `(spec: any) => {
  const all = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_SETUID', 'CAP_SETGID']
  return { ...spec, process: { ...spec.process, capabilities: { bounding: all, permitted: all, effective: all } } }
}`

rootless('files have the owners of the image, whatever way they come', async (t) => {
  const result = await answer(`
const reference = ${JSON.stringify(makeImage([more]))}
const outputs: unknown[] = []
for (const options of [{}, { writable: 'tmpfs' }, { layering: 'copy' }] as const) {
  const run = runtime.run(reference, ['sh', '-c', ${JSON.stringify(line)}], {
    ...options, idMappings: 'subordinate', spec: ${capabilities}, reject: false })
  const { stdout, stderr } = await run
  outputs.push([stdout, stderr])
}
const { readdirSync } = await import('node:fs')
const { snapshots } = await store.list()
console.log(JSON.stringify([outputs, warnings, readdirSync(store.root + '/containers'), (await store.verify()).sound, snapshots.map(({ mapping }) => mapping?.uidMappings[1])]))
`)
  const range = { containerID: 1, hostID: Number(ranges![1]), size: Number(ranges![2]) }
  t.deepEqual(result, [
    [
      [seen, ''],
      [seen, ''],
      [seen, ''],
    ],
    [],
    [],
    true,
    [range],
  ])
})

rootless('another user of the image is that user', async (t) => {
  const result = await answer(`
const reference = ${JSON.stringify(makeImage([[{ name: './', mode: 0o755 }, ...more]]))}
const options = { idMappings: 'subordinate', reject: false } as const
const line = 'id -u; cat /private/secret'
const own = await runtime.run(reference, ['sh', '-c', line], { ...options, user: '33:34' })
const other = await runtime.run(reference, ['sh', '-c', line], { ...options, user: '5:5' })
const su = ['busybox', 'su', '-s', '/bin/sh', 'web', '-c', line]
const through = await runtime.run(reference, su, { ...options, spec: ${capabilities} })
console.log(JSON.stringify([own.stdout, other.stdout, /Permission denied/.test(other.stderr), through.stdout, through.stderr]))
`)
  t.deepEqual(result, ['33\nsecret', '5\n', true, '33\nsecret', ''])
})

rootless('such snapshots are shared, kept, repaired and collected like others', async (t) => {
  const result = await answer(`
const image = await store.import(${JSON.stringify(makeImage([more]))})
const idMappings = 'subordinate'
let unpacked = 0
const onLayer = () => void unpacked++
const prepare = () => new Store({ durability: 'none' }).prepare(image, { idMappings, onLayer })
const opened = await Promise.all([prepare(), prepare(), prepare()])
for (const snapshot of opened) snapshot.close()
const [{ chainId: id, layers }] = opened as [{ chainId: string; layers: string[] }]
const kept = (await store.gc()).snapshots
const { appendFileSync } = await import('node:fs')
appendFileSync(layers[0] + '/opaque/new', '!')
const { damaged } = await store.verify()
const { removed, restored } = await store.repair()
const { sound } = await store.verify()
const other = await store.prepare(image)
other.close()
await store.remove('test')
const gone = (await store.gc()).snapshots
const { readdirSync } = await import('node:fs')
const left = ['ingest', 'snapshots/sha256'].map((name) => readdirSync(store.root + '/' + name))
console.log(JSON.stringify([unpacked, kept, damaged.map((each) => each.id === id), removed.length, restored.map((each) => each === id), sound, gone.includes(id), left]))
`)
  t.deepEqual(result, [1, [], [true], 1, [true], true, true, [[], []]])
})

rootless('what dies while files are given away is swept', async (t) => {
  const result = await answer(`
const { mkdirSync, readdirSync } = await import('node:fs')
const image = await Image.open(${JSON.stringify(makeImage([more]))})
await (await store.prepare(image)).close()
const left = store.root + '/ingest/1-1-1'
mkdirSync(left)
await image.unpackRootfs(left + '/fs', { idMappings: 'subordinate' })
await store.gc()
console.log(JSON.stringify(readdirSync(store.root + '/ingest')))
`)
  t.deepEqual(result, [])
})

const changes = `
mkdir /made /made/deep; echo closed > /made/deep/file; echo x > /made/open; busybox ln -s file /made/deep/link
busybox chmod 600 /made/deep/file; busybox chmod 700 /made/deep /made; busybox chmod 0 /made/open; busybox chown -hR 7:8 /made
rm /private/secret; echo new > /private/new; busybox chmod 600 /private/new; busybox chown 33:34 /private/new
rm -r /usr/lib; mkdir /usr/lib; echo kept > /usr/lib/a; busybox chmod 700 /usr/lib; busybox chown -R 9:9 /usr/lib
busybox chmod 700 /; busybox chown 5:6 /; echo done; exec sleep 60`

rootless('a commit has the owners that the container saw, and what is closed to its user', async (t) => {
  for (const layering of ['overlay', 'copy']) {
    const [answered, home] = (await answer(`
const { spawnSync } = await import('node:child_process')
const reference = ${JSON.stringify(makeImage([more]))}
const home = process.env.HOME
const container = await runtime.create('owned', {
  image: reference, args: ['sh', '-c', ${JSON.stringify(changes)}],
  layering: ${JSON.stringify(layering)}, idMappings: 'subordinate', spec: ${capabilities},
})
const done = new Promise((resolve) => container.stdout!.once('data', resolve))
await container.start()
await done
const image = await container.commit({ layout: home + '/out', tag: 'library', compression: 'none', mask: ['dev', 'proc', 'sys'] })
const command = ['image', 'commit', '--image', home + '/out:command', '--compress', 'none']
const { status, stderr } = spawnSync(process.execPath, [${JSON.stringify(join(checkout, 'dist/cli.js'))}, ...command,
  ...['dev', 'proc', 'sys'].flatMap((path) => ['--mask-path', path]), 'owned'], { encoding: 'utf8' })
await container.delete({ force: true })
const again = await Image.open('oci:' + home + '/out:command')
const digests = [image, again].map((each) => each.manifest.layers.at(-1)!.digest)
console.log(JSON.stringify([[status, stderr, warnings, digests], home]))
`)) as [[number, string, string[], [string, string]], string]
    const [status, stderr, warnings, [library, command]] = answered
    t.deepEqual([status, stderr, warnings], [0, '', []], layering)
    t.is(command, library)
    const blob = join(home, 'out/blobs/sha256', library.slice(7))
    const options = { encoding: 'utf8' } as const
    const listing = spawnSync('tar', ['--numeric-owner', '-tvf', blob], options).stdout
    const seen = listing
      .split('\n')
      .filter(Boolean)
      .map((each) => each.replace(/ +\d+ \S+ \S+ /, ' '))
    t.deepEqual(
      seen.filter((each) => !/ (dev|proc|sys)\/$/.test(each)),
      written,
      layering,
    )
    for (const [name, content] of [
      ['made/deep/file', 'closed\n'],
      ['private/new', 'new\n'],
      ['usr/lib/a', 'kept\n'],
    ] as const)
      t.is(spawnSync('tar', ['-xOf', blob, name], options).stdout, content)
  }
})

/** The new directory hides the content of the image's directory by name. */
const written = [
  'drwx------ 5/6 ./',
  'drwx------ 7/8 made/',
  'drwx------ 7/8 made/deep/',
  '-rw------- 7/8 made/deep/file',
  'lrwxrwxrwx 7/8 made/deep/link -> file',
  '---------- 7/8 made/open',
  'drwx------ 33/34 private/',
  '-rw-r--r-- 0/0 private/.wh.secret',
  '-rw------- 33/34 private/new',
  'drwx--x--x 0/0 usr/',
  'drwx------ 9/9 usr/lib/',
  '-rw-r--r-- 0/0 usr/lib/.wh.b',
  '-rw-r--r-- 0/0 usr/lib/.wh.c',
  '-rw-r--r-- 9/9 usr/lib/a',
]
