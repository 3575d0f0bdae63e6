/** Cgroups that belong to others than root: the program's, and the caller's. */
import { spawnSync } from 'node:child_process'
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Runtime } from '../../../ts/index.ts'
import type { RuntimeSpec } from '../../../ts/spec/index.ts'
import { missing, needs, skipped } from '../../fixtures/needs.ts'
import { checkout, nextLine, program, type Program } from '../../fixtures/program.ts'
import { remains } from '../../fixtures/remains.ts'
import { makeRootfs, scratch } from '../../fixtures/rootfs.ts'
import { until } from '../../fixtures/until.ts'

const version2 = existsSync('/sys/fs/cgroup/cgroup.controllers')
const USER = 65534
const folder = scratch('delegation')

/** The cgroups mounted with these options, for a program of an ordinary user. */
function mounted(...options: string[]): (spec: RuntimeSpec) => RuntimeSpec {
  return (spec) => {
    spec.mounts = spec.mounts!.filter(({ destination }) => destination !== '/sys/fs/cgroup')
    spec.mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options })
    return spec
  }
}

needs(
  'root',
  'cgroup',
  'busybox',
)('a program manages its cgroup where it is writable, on version 2, and not the limits', async (t) => {
  makeRootfs(join(folder, 'rootfs'))
  const runtime = new Runtime({ root: join(folder, 'state') })
  const nest = `cd /sys/fs/cgroup${version2 ? '' : '/pids'}
mkdir nested && echo 0 >nested/cgroup.procs && tail -n 1 /proc/self/cgroup
echo max >pids.max && echo unlimited
echo end`
  const run = (...options: string[]) =>
    runtime.run({ rootfs: join(folder, 'rootfs') }, ['sh', '-c', nest], {
      id: `delegation-${process.pid}-${options.length}`,
      user: `${USER}:${USER}`,
      pids: 20,
      spec: mounted(...options),
      reject: false,
    })
  const { stdout, stderr } = await run('nosuid')
  t.is(stdout, version2 ? '0::/nested\nend\n' : 'end\n', stderr)
  t.is((await run('nosuid', 'ro')).stdout, 'end\n')
  t.deepEqual(remains(runtime.root, `delegation-${process.pid}-1`).cgroups, [])
})

/** The subtree of an ordinary user in every hierarchy, with that user's process in `caller`. */
class Delegated {
  readonly path = `caisson-delegated-${process.pid}`
  readonly tops = (version2 ? [''] : readdirSync('/sys/fs/cgroup')).map((name) =>
    join('/sys/fs/cgroup', name, this.path),
  )

  constructor() {
    for (const top of this.tops) {
      for (const directory of [top, join(top, 'caller')]) {
        mkdirSync(directory)
        for (const file of ['cpuset.cpus', 'cpuset.mems']) {
          const [here, above] = [join(directory, file), join(directory, '..', file)]
          if (!version2 && existsSync(here)) writeFileSync(here, readFileSync(above))
        }
        if (version2 && directory === top)
          writeFileSync(join(top, '../cgroup.subtree_control'), '+cpu +memory +pids')
        chownSync(directory, USER, USER)
        for (const file of ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads', 'tasks'])
          if (existsSync(join(directory, file))) chownSync(join(directory, file), USER, USER)
      }
    }
  }

  /** Moves itself there and becomes the user, for what follows. */
  get command(): string[] {
    const joins = this.tops.map((top) => `echo $$ >${top}/caller/cgroup.procs`).join(' && ')
    const drop = `exec setpriv --reuid ${USER} --regid ${USER} --clear-groups "$@"`
    return ['sh', '-c', `${joins} && ${drop}`, 'sh']
  }

  read(container: string, file: string): string | undefined {
    const paths = this.tops.map((top) => join(top, container, file))
    const path = paths.find((each) => existsSync(each))
    return path && readFileSync(path, 'latin1').trim()
  }

  left(): string[] {
    return this.tops
      .flatMap((top) => readdirSync(top, { withFileTypes: true }))
      .flatMap((entry) => (entry.isDirectory() && entry.name !== 'caller' ? [entry.name] : []))
  }

  /** The guard of the user's process outlives it by a moment. */
  async remove(): Promise<void> {
    const members = this.tops.map((top) => join(top, 'caller/cgroup.procs'))
    await until(() => members.every((file) => readFileSync(file, 'latin1') === ''), 'the cgroups are empty')
    for (const top of this.tops) for (const path of [join(top, 'caller'), top]) rmdirSync(path)
  }
}

function obstacle(): string | undefined {
  const reason = missing('root', 'userns', 'cgroup', 'busybox')
  if (reason) return reason
  const ids = { uid: USER, gid: USER }
  const readable = spawnSync('sh', ['-c', `cd ${checkout} && test -r package.json`], ids).status === 0
  return readable ? undefined : 'the checkout cannot be read by an ordinary user'
}
const reason = obstacle()
const delegated = reason ? skipped(reason) : needs('root')

delegated('an ordinary user sets limits in delegated cgroups', async (t) => {
  const home = scratch('delegated')
  makeRootfs(join(home, 'rootfs'))
  chownSync(home, USER, USER)
  const cgroup = new Delegated()
  let running: Program | undefined
  try {
    running = program(
      `
import { Runtime } from 'caisson'
const runtime = new Runtime({ root: ${JSON.stringify(join(home, 'state'))} })
const withPath = (path) => (spec) => {
  spec.linux.cgroupsPath = path
  return spec
}
const source = { rootfs: ${JSON.stringify(join(home, 'rootfs'))} }
const child = runtime.run(source, ['sh', '-c', 'echo in; read end'], {
  memory: '32MiB', pids: 20, cpus: 0.5, stdio: 'pipe', spec: withPath('/${cgroup.path}/c'),
})
child.stdout.on('data', (text) => process.stdout.write(text))
process.stdin.once('data', async () => {
  child.stdin.end('end\\n')
  await child
  const elsewhere = { pids: 20, spec: withPath('/caisson-denied') }
  const { code } = await runtime.run(source, ['true'], elsewhere).catch((error) => error)
  console.log(code)
  process.exit()
})
`,
      { under: cgroup.command, env: { XDG_RUNTIME_DIR: home, TMPDIR: home, HOME: home } },
    )
    t.is(await nextLine(running), 'in')
    const expected = version2
      ? { 'memory.max': '33554432', 'pids.max': '20', 'cpu.max': '50000 100000' }
      : { 'memory.limit_in_bytes': '33554432', 'pids.max': '20', 'cpu.cfs_quota_us': '50000' }
    for (const [file, value] of Object.entries(expected)) t.is(cgroup.read('c', file), value, file)
    running.child.stdin!.write('go\n')
    t.is(await nextLine(running), 'ERR_CGROUP_UNAVAILABLE')
    await running.ended
    t.deepEqual(cgroup.left(), [])
  } finally {
    running?.child.kill('SIGKILL')
    await running?.ended
    await cgroup.remove()
  }
})
