/** Podman with caisson as its runtime: every command ends as it does with runc. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { COMMAND } from '../cli/session.ts'
import { needs } from '../fixtures/needs.ts'
import { makeRootfs, scratch } from '../fixtures/rootfs.ts'
import { text } from '../fixtures/text.ts'

interface Answer {
  status: number
  stdout: string
}
type Podman = (...args: string[]) => Promise<Answer>

const folder = scratch('podman')
const shared = join(folder, 'shared')
mkdirSync(shared)
writeFileSync(join(shared, 'file'), 'of the host\n')

/** Podman without a registry, a network or an image: a root file system, and one runtime. */
function podmanWith(name: string, runtime: string): { podman: Podman; rootfs: string } {
  const own = join(folder, name)
  mkdirSync(own)
  const rootfs = makeRootfs(join(own, 'rootfs'))
  const places = ['--root', join(own, 'root'), '--runroot', join(own, 'run'), '--tmpdir', join(own, 'tmp')]
  const global = [...places, '--storage-driver', 'vfs', '--cgroup-manager', 'cgroupfs', '--runtime', runtime]
  const podman: Podman = async (...args) => {
    const child = spawn('podman', [...global, ...args], { stdio: 'pipe' })
    child.stdin.end()
    const outputs = Promise.all([text(child.stdout), text(child.stderr)])
    const [status] = (await once(child, 'close')) as [number]
    const [stdout] = await outputs
    return { status, stdout }
  }
  return { podman, rootfs }
}

/** The limits of the caller may be lower than podman's own defaults, and not be raised. */
const LIMITS = ['--ulimit', 'nofile=256:256', '--ulimit', 'nproc=100:100']
const QUIET = ['--network', 'none', '--cgroupns', 'private', ...LIMITS]

/** Options of `podman run`, and a script. */
const RUNS: Record<string, [options: string[], script: string]> = {
  'a program and its status': [[], 'echo out; exit 3'],
  limits: [
    ['--memory', '64m', '--cpus', '0.5', '--pids-limit', '20', '--cpuset-cpus', '0'],
    'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/memory.max 2>/dev/null; true',
  ],
  'a privileged container': [['--privileged'], 'grep Cap /proc/self/status'],
  'another user': [['--user', '1000:1000'], 'id; grep -E "Cap|NoNew" /proc/self/status'],
  'a user namespace': [
    ['--uidmap', '0:1000:1000', '--gidmap', '0:1000:1000'],
    'cat /proc/self/uid_map /proc/self/gid_map; id -u',
  ],
  'a read-only root with volumes': [
    [
      '--read-only',
      '--tmpfs',
      '/tmp:size=1m',
      '--volume',
      `${shared}:/mnt:ro`,
      '--workdir',
      '/etc',
      '--env',
      'A=b',
    ],
    'pwd; cat /mnt/file; echo $A; touch /x /mnt/x 2>/dev/null; touch /tmp/x && ls /tmp',
  ],
  'namespaces of the host': [
    ['--pid', 'host', '--ipc', 'host', '--uts', 'host', '--cgroupns', 'host'],
    'for name in ipc uts pid; do readlink /proc/self/ns/$name; done',
  ],
  'settings of the kernel': [
    ['--oom-score-adj', '100', '--shm-size', '1m', '--sysctl', 'kernel.msgmax=777', '--hostname', 'named'],
    'cat /proc/self/oom_score_adj /proc/sys/kernel/msgmax /proc/sys/kernel/hostname',
  ],
  'no capabilities and no new privileges': [
    ['--cap-drop', 'all', '--security-opt', 'no-new-privileges'],
    'grep -E "Cap|NoNew" /proc/self/status',
  ],
  'a device': [
    ['--device', '/dev/null:/dev/mine:rw'],
    'stat -c "%F %a %t:%T" /dev/mine; echo x > /dev/mine && echo written',
  ],
  'a terminal': [['--tty'], 'tty'],
}
const FAILURES: Record<string, string> = {
  'a program that is missing': 'no-such-program',
  'a program that is a directory': '/tmp',
  'a program that may not be executed': '/etc/passwd',
}

async function session(t: ExecutionContext, name: string, runtime: string): Promise<Record<string, Answer>> {
  const { podman, rootfs } = podmanWith(name, runtime)
  const answers: Record<string, Answer> = {}
  const always = ['--rm', ...QUIET]
  try {
    for (const [title, [options, script]] of Object.entries(RUNS))
      answers[title] = await podman('run', ...always, ...options, '--rootfs', rootfs, 'sh', '-c', script)
    for (const [title, program] of Object.entries(FAILURES))
      answers[title] = await podman('run', ...always, '--rootfs', rootfs, program)
    const serve = 'trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done'
    const detached = [
      'run',
      '--detach',
      '--name',
      name,
      ...always.slice(1),
      '--rootfs',
      rootfs,
      'sh',
      '-c',
      serve,
    ]
    t.is((await podman(...detached)).status, 0)
    answers['its status'] = await podman('inspect', '--format', '{{.State.Status}}', name)
    answers['stop'] = { ...(await podman('stop', '--time', '20', name)), stdout: '' }
    answers['the status after it'] = await podman('inspect', '--format', '{{.State.ExitCode}}', name)
    answers['rm'] = { ...(await podman('rm', name)), stdout: '' }
  } finally {
    await podman('rm', '--all', '--force', '--time', '0')
    rmSync(join(folder, name), { recursive: true, force: true })
  }
  return answers
}

needs(
  'root',
  'cgroup',
  'busybox',
  'runc',
  'podman',
)('podman runs containers with caisson as with runc', async (t) => {
  t.timeout(170_000)
  const [theirs, ours] = [await session(t, 'runc', 'runc'), await session(t, 'caisson', COMMAND)]
  t.deepEqual(ours, theirs)
  t.deepEqual(ours['a program and its status'], { status: 3, stdout: 'out\n' })
  t.is(ours['the status after it']!.stdout, '9\n')
})
