// Limits against the program that they limit. It has root's id, no capability and no user namespace; it makes
// namespaces of its own, in which it may mount the cgroup file systems, and writes whatever it finds there.
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Runtime } from '../../ts/index.ts'
import { needs } from '../fixtures/needs.ts'
import { remains } from '../fixtures/remains.ts'
import { scratch } from '../fixtures/rootfs.ts'

const runtime = new Runtime({ root: join(scratch('state'), 'root'), store: join(scratch('store'), 'store') })
const privileged = needs('root', 'cgroup')
const version2 = existsSync('/sys/fs/cgroup/cgroup.controllers')
const MEBIBYTE = 1024 * 1024

/** In a new user, mount and cgroup namespace, with every hierarchy mounted writable below /tmp. */
const inside = (script: string): string[] => ['unshare', '-UmC', '--keep-caps', 'sh', '-c', mounts + script]
const mounts = version2
  ? 'mkdir -p /tmp/memory; mount -t cgroup2 none /tmp/memory && ln -s memory /tmp/pids && echo mounted; '
  : 'mkdir -p /tmp/memory /tmp/pids; mount -t cgroup -o memory none /tmp/memory && mount -t cgroup -o pids none /tmp/pids && echo mounted; '
const write = (value: string, ...files: string[]): string =>
  files.map((file) => `echo ${value} 2>/dev/null >${file}; `).join('')
const unlimited = version2
  ? write('max', '/tmp/memory/memory.max', '/tmp/memory/memory.swap.max', '/tmp/memory/pids.max')
  : write('-1', '/tmp/memory/memory.memsw.limit_in_bytes', '/tmp/memory/memory.limit_in_bytes') +
    write('max', '/tmp/pids/pids.max')
/** Moves into a nested cgroup and takes that one for its root: the old root is not guarded by nsdelegate any more. */
const deeper = version2
  ? 'mkdir /tmp/memory/nested; echo 0 >/tmp/memory/nested/cgroup.procs; exec unshare -C --keep-caps sh -c "$REST"'
  : 'exec sh -c "$REST"'
// The default filter refuses the namespaces: the limits have to hold without it.
const options = { env: { REST: '' }, seccomp: 'unconfined', reject: false, timeout: 300_000 } as const

privileged('a program cannot write its memory limit away', async (t) => {
  const touch = `head -c ${200 * MEBIBYTE} /dev/zero | tail -c ${200 * MEBIBYTE} | wc -c`
  const attack = { ...options, memory: 32 * MEBIBYTE, env: { REST: unlimited + touch } }
  const free = await runtime.run('host', inside(deeper), { ...attack, memory: 1024 * MEBIBYTE })
  t.is(free.stdout, `mounted\n${200 * MEBIBYTE}\n`, `the attack works as far as it may: ${free.stderr}`)
  const result = await runtime.run('host', inside(deeper), attack)
  t.false(result.stdout.includes(String(200 * MEBIBYTE)), result.stdout)
  t.regex(result.stdout, /^mounted/)
})

privileged('a program cannot write its limit of processes away', async (t) => {
  const fork = 'for i in $(seq 60); do sleep 5 & done; echo 60'
  const attack = { ...options, pids: 32, env: { REST: unlimited + fork } }
  const free = await runtime.run('host', inside(deeper), { ...attack, pids: 500 })
  t.is(free.stdout, 'mounted\n60\n', free.stderr)
  const result = await runtime.run('host', inside(deeper), attack)
  t.false(result.stdout.includes('60'), result.stdout)
  t.regex(result.stdout, /^mounted/)
})

privileged('the limits that hold are on cgroupsPath, and the program reads the same ones', async (t) => {
  const id = `caisson-limits-${process.pid}`
  const file = version2 ? 'memory.max' : 'memory/memory.limit_in_bytes'
  const readLimit = `cat /sys/fs/cgroup/${file}; cat /proc/self/cgroup; read end`
  const spec = { id, memory: 64 * MEBIBYTE, stdio: 'pipe' } as const
  const child = runtime.run('host', ['sh', '-c', readLimit], spec)
  const lines: string[] = []
  for await (const line of child) {
    lines.push(line)
    if (line.startsWith('0::')) break
  }
  t.is(lines[0], String(64 * MEBIBYTE))
  t.true(
    lines.slice(1).every((line) => line.endsWith(':/')),
    lines.join('\n'),
  )
  const directories = remains(runtime.root, id).cgroups
  const enforced = directories.map((path) => join(path, basename(file))).filter((path) => existsSync(path))
  t.deepEqual(
    enforced.map((path) => readFileSync(path, 'latin1').trim()),
    [lines[0]],
  )
  child.kill('SIGKILL')
  await t.throwsAsync(async () => void (await child))
})
