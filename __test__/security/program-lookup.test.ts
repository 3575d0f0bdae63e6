/**
 * Attacks before the first instruction of a program: an image whose program, interpreter or loader leads through
 * `/proc/self/fd` to what the runtime has open, and a container that looks into the first process of another one.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { CaissonError, Runtime } from '../../ts/index.ts'
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import { busybox, needs } from '../fixtures/needs.ts'
import { makeRootfs, scratch } from '../fixtures/rootfs.ts'

const root = process.geteuid?.() === 0
const numbers = Array.from({ length: 29 }, (_, index) => index + 3)
const mapping = [{ containerID: 0, hostID: 100_000, size: 65_536 }]

function mapped(spec: RuntimeSpec): void {
  spec.linux!.namespaces!.push({ type: 'user' })
  spec.linux!.uidMappings = mapping
  spec.linux!.gidMappings = mapping
}

/** A root file system with a link for every number, in a directory each, and the host's program that they lead to. */
function prepare(name: string) {
  const base = scratch('program-lookup')
  const program = join(base, 'host', 'program')
  mkdirSync(dirname(program))
  copyFileSync(busybox()!, program)
  chmodSync(program, 0o755)
  let top = program
  while (top !== '/' && statSync(dirname(top)).dev === statSync(program).dev) top = dirname(top)
  const place = `${'../'.repeat(12)}${relative(top, program)}`
  const rootfs = makeRootfs(join(base, 'rootfs'))
  const directories = numbers.map((number) => {
    mkdirSync(join(rootfs, 'links', String(number)), { recursive: true })
    symlinkSync(`/proc/self/fd/${number}/${place}`, join(rootfs, 'links', String(number), name))
    return `/links/${number}`
  })
  return { rootfs, directories, runtime: new Runtime({ root: join(base, 'run') }) }
}

const kinds = root
  ? [
      { title: 'root', test: needs('root', 'busybox'), isMapped: false },
      { title: 'a mapped root', test: needs('root', 'busybox'), isMapped: true },
    ]
  : [{ title: 'an ordinary user', test: needs('userns', 'busybox'), isMapped: false }]

for (const { title, test, isMapped } of kinds) {
  const place = (rootfs: string): string => {
    if (isMapped) spawnSync('chown', ['-R', '100000:100000', rootfs])
    return bundle({
      edit: (spec) => {
        spec.root = { path: rootfs }
        if (isMapped) mapped(spec)
      },
    })
  }

  test(`no program of the host is found by its name, as ${title}`, async (t) => {
    const { rootfs, directories, runtime } = prepare('sh')
    const env = { PATH: directories.join(':') }
    const run = (): unknown =>
      runtime.run({ bundle: place(rootfs) }, ['sh', '-c', 'echo a program of the host'], { env })
    const error = await t.throwsAsync(async () => void (await run()), { instanceOf: CaissonError })
    t.is(error.code, 'ERR_EXEC_NOT_FOUND')
  })

  test(`no program of the host interprets a script, as ${title}`, async (t) => {
    const { rootfs, directories, runtime } = prepare('sh')
    for (const [index, directory] of directories.entries()) {
      const script = join(rootfs, 'bin', `script-${index}`)
      writeFileSync(script, `#!${directory}/sh\necho a program of the host\n`, { mode: 0o755 })
    }
    const path = place(rootfs)
    for (const index of directories.keys()) {
      const run = (): unknown => runtime.run({ bundle: path }, [`/bin/script-${index}`])
      const error = await t.throwsAsync(async () => void (await run()), { instanceOf: CaissonError })
      t.true(
        ['ENOENT', 'ENOTDIR'].some((errno) => error.message.includes(errno)),
        error.message,
      )
    }
  })
}

// CVE-2016-9962: root of another container owns a new user namespace as much as the host's root does.
needs('root', 'busybox')(
  'no process of a pod looks into a container that joins its pid namespace',
  async (t) => {
    const base = scratch('pod')
    const canary = join(base, 'canary')
    writeFileSync(canary, '')
    const runtime = new Runtime({ root: join(base, 'run') })
    const poll = `echo ready; while :; do for p in /proc/[0-9]*; do [ -e $p/root${canary} ] && echo reached; done; done`
    const pod = runtime.run({ bundle: bundle() }, ['sh', '-c', poll], { reject: false })
    let seen = ''
    pod.stdout!.on('data', (chunk: Buffer) => (seen += String(chunk)))
    await pod.started
    try {
      const joining = bundle({
        edit: (spec) => {
          mapped(spec)
          spec.linux!.namespaces!.find(({ type }) => type === 'pid')!.path = `/proc/${pod.pid}/ns/pid`
          spec.mounts = spec.mounts!.filter(({ type }) => type !== 'proc')
          delete spec.linux!.maskedPaths
          delete spec.linux!.readonlyPaths
        },
      })
      for (let round = 0; round < 10; round++)
        t.is((await runtime.run({ bundle: joining }, ['true'])).exitCode, 0)
    } finally {
      pod.kill('SIGKILL')
      await pod
    }
    t.is(seen, 'ready\n')
  },
)
