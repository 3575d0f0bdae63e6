/** The store of an ordinary user, and the host as a source. */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { missing } from '../fixtures/needs.ts'
import { checkout, nextLine, program } from '../fixtures/program.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { makeImage } from './images.ts'

const NAME = 'caisson-test' // with subordinate ids: scripts/install-test-tools
const line = readFileSync('/etc/passwd', 'utf8')
  .split('\n')
  .find((each) => each.startsWith(`${NAME}:`))
const ids = line ? { uid: Number(line.split(':')[2]), gid: Number(line.split(':')[3]) } : undefined
const ranges = /^caisson-test:(\d+):(\d+)/m.exec(readFileSync('/etc/subuid', 'utf8'))

function obstacle(): string | undefined {
  const reason = missing('root', 'userns', 'busybox')
  if (reason) return reason
  if (!ids || !ranges) return `there is no user ${NAME} with subordinate ids (scripts/install-test-tools)`
  const readable = spawnSync('sh', ['-c', `test -r ${checkout}/package.json`], ids).status === 0
  return readable ? undefined : 'the checkout cannot be read by an ordinary user'
}

const reason = obstacle()
if (reason) console.error(`skipped: rootless store: ${reason}`)
const rootless = reason ? test.skip : test

/** Runs a program as that user; its one line of JSON. */
async function answer(body: string): Promise<unknown> {
  const folder = scratch('rootless-store')
  mkdirSync(join(folder, 'run'))
  for (const path of [folder, join(folder, 'run')]) {
    chownSync(path, ids!.uid, ids!.gid)
    chmodSync(path, 0o755)
  }
  const source = `
import { Image, Runtime, Store } from 'caisson'
const warnings: string[] = []
// Whether this user has cgroups is not the question here.
const warn = (message: string): void => void (message.startsWith('no cgroup') || warnings.push(message))
const store = new Store({ durability: 'none' })
const runtime = new Runtime({ store, onWarning: warn })
${body}
`
  const env = {
    XDG_RUNTIME_DIR: join(folder, 'run'),
    XDG_DATA_HOME: join(folder, 'data'),
    CAISSON_STORE: '',
    TMPDIR: folder,
    HOME: folder,
  }
  const running = program(source, { ...ids, env })
  const text = await nextLine(running)
  const { code, stderr } = await running.ended
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(text)
}

rootless('an ordinary user runs images from a store of its own', async (t) => {
  const script =
    'stat -c "%u %n" / /usr/lib/b /original; ls /gone /opaque; echo mine > /original; rm -r /usr/lib'
  const result = (await answer(`
const reference = ${JSON.stringify(makeImage())}
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
