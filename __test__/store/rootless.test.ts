/** The store of an ordinary user, and the host as a source. */
import type { TestEntry } from '../image/fixture.ts'
import { makeImage } from './images.ts'
import { answer, ranges, rootless } from './user.ts'

/** Files that only root can read, whatever their mode. */
const closed: TestEntry[] = [
  { name: 'closed', content: 'closed', mode: 0 },
  { name: 'locked/', mode: 0 },
  { name: 'locked/in', content: 'in' },
  { name: 'listed/', mode: 0o400 },
  { name: 'listed/in', content: 'in' },
]

rootless('an ordinary user runs images from a store of its own', async (t) => {
  const script =
    'stat -c "%u %n" / /usr/lib/b /original; ls /gone /opaque; echo mine > /original; rm -r /usr/lib'
  const result = (await answer(`
const reference = ${JSON.stringify(makeImage([closed]))}
const outputs: unknown[] = []
for (const options of [{}, { writable: 'tmpfs' }, { layering: 'copy' }] as const) {
  const result = await runtime.run(reference, ['sh', '-c', ${JSON.stringify(script)}], { ...options, reject: false })
  outputs.push([result.stdout, result.stderr])
}
const { sound } = await store.verify()
console.log(JSON.stringify([outputs, warnings, sound, store.root.endsWith('/data/caisson')]))
`)) as unknown[]
  const seen = '0 /\n0 /usr/lib/b\n0 /original\n/gone:\nagain\n\n/opaque:\nnew\nsub\n'
  t.deepEqual(result, [
    [
      [seen, ''],
      [seen, ''],
      [seen, ''],
    ],
    [],
    true,
    true,
  ])
})

rootless('with ranges of ids files belong to the root of the container, not to nobody', async (t) => {
  const [, start, count] = ranges!
  const result = (await answer(`
const own = [process.geteuid!(), process.getegid!()]
const map = (id: number) => [
  { containerID: 0, hostID: id, size: 1 },
  { containerID: 1, hostID: ${start}, size: ${count} },
]
const spec = (spec: any) => ({ ...spec, linux: { ...spec.linux, uidMappings: map(own[0]!), gidMappings: map(own[1]!) } })
const line = 'stat -c "%u:%g %n" / /usr/lib/b /original; touch /x; stat -c "%u:%g" /x'
const result = await runtime.run(${JSON.stringify(makeImage())}, ['sh', '-c', line], { spec, reject: false })
console.log(JSON.stringify([result.stdout, result.stderr, warnings]))
`)) as unknown[]
  t.deepEqual(result, ['0:0 /\n0:0 /usr/lib/b\n0:0 /original\n0:0\n', '', []])
})

rootless("an ordinary user runs the host's programs with nothing else of the host", async (t) => {
  const line = 'cat /etc/shadow; ls /root /home; touch /usr/x; echo ok > /tmp/x; cat /tmp/x; id -u'
  const result = (await answer(`
const result = await runtime.run('host', ['sh', '-c', ${JSON.stringify(line)}], { reject: false })
console.log(JSON.stringify([result.stdout, result.stderr.split('\\n').length]))
`)) as unknown[]
  t.deepEqual(result, ['/home:\n\n/root:\nok\n0\n', 3])
})
