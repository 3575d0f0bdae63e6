/** The configurations of the differential test: each changes runc's default in one way. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mount, RuntimeSpec } from '../../ts/spec/index.ts'
import type { Holder } from './holder.ts'

export interface Context {
  bundle: string
  /** The process whose namespaces are joined. */
  holder: Holder
}

export interface Configuration {
  name: string
  edit: (spec: RuntimeSpec, context: Context) => void
  /** Paths whose type, mode and content the probe reports. */
  places?: string[]
  /** Instead of the probe. */
  args?: string[]
  /** Sections in which we differ from what the peers agree on, each with the reason. */
  differs?: Record<string, string>
}

const mounts = (...added: Mount[]) => ({
  edit: (spec: RuntimeSpec) => void spec.mounts!.push(...added),
  places: added.map(({ destination }) => destination),
})
const process = (change: Partial<NonNullable<RuntimeSpec['process']>>) => ({
  edit: (spec: RuntimeSpec) => void Object.assign(spec.process!, change),
})
const user = (change: object) => ({
  edit: (spec: RuntimeSpec) => void Object.assign(spec.process!.user!, change),
})
const linux = (change: object) => ({
  edit: (spec: RuntimeSpec) => void Object.assign(spec.linux!, change),
})
const resources = (change: object) => ({
  edit: (spec: RuntimeSpec) => void (spec.linux!.resources = { ...spec.linux!.resources, ...change }),
})
const capabilities = (change: object) => process({ capabilities: change })
/** A new sysfs belongs to a new network namespace; with another one, the host's is bound. */
function hostSysfs(spec: RuntimeSpec): void {
  const mount = spec.mounts!.find(({ destination }) => destination === '/sys')!
  Object.assign(mount, {
    type: 'none',
    source: '/sys',
    options: ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'],
  })
}
const without = (type: string) => ({
  edit: (spec: RuntimeSpec) => {
    spec.linux!.namespaces = spec.linux!.namespaces!.filter((namespace) => namespace.type !== type)
    if (type === 'uts') delete spec.hostname
    if (type === 'network') hostSysfs(spec)
  },
})
const joining = (type: 'network' | 'ipc' | 'uts' | 'pid') => ({
  edit: (spec: RuntimeSpec, { holder }: Context) => {
    const entry = spec.linux!.namespaces!.find((namespace) => namespace.type === type)!
    entry.path = holder.path(type)
    if (type === 'uts') delete spec.hostname
  },
})
/** Binds `source`, made in the bundle, at /data. */
const bound = (options: string[], make: (path: string) => void = (path) => mkdirSync(path)) => ({
  edit: (spec: RuntimeSpec, { bundle }: Context) => {
    const source = join(bundle, 'source')
    make(source)
    chmodSync(source, 0o751)
    spec.mounts!.push({ destination: '/data', source, options })
  },
  places: ['/data'],
})
const hook = (bundle: string, name: string) => ({
  path: '/bin/sh',
  args: ['sh', '-c', `read -r state; case $state in *'"id"'*) echo ${name};; esac >> '${bundle}/hooks'`],
  env: ['PATH=/usr/bin:/bin'],
})
const hooks = (...names: string[]) => ({
  edit: (spec: RuntimeSpec, { bundle }: Context) =>
    void (spec.hooks = Object.fromEntries(
      names.map((name) => [name, [hook(bundle, name), hook(bundle, `${name}-2`)]]),
    )),
})
const device = (path: string, change: object = {}) => ({
  ...linux({
    devices: [{ path, type: 'c', major: 1, minor: 5, fileMode: 0o640, uid: 3, gid: 4, ...change }],
  }),
  places: [path],
})
const program = (...args: string[]) => ({ edit: () => {}, args })

// On version 2 shares become a weight. Ours is that of runc since 1.3.2: 1024 shares, the default, are the default
// weight.
const NEWER_WEIGHT: Record<string, string> = existsSync('/sys/fs/cgroup/cgroup.controllers')
  ? {
      'cgroup cpu.weight':
        'the peers of Debian 12 convert in a straight line, where the default of 1024 becomes 39',
    }
  : {}

const table: Record<string, Omit<Configuration, 'name'>> = {
  'the default': { edit: () => {} },
  // ids
  'uid and gid': user({ uid: 1000, gid: 1000 }),
  'additional groups': user({ uid: 1000, gid: 1000, additionalGids: [5, 6, 7] }),
  'an id without an entry in passwd': user({ uid: 4242, gid: 4343 }),
  'umask 027': user({ umask: 0o27 }),
  'umask 0': user({ umask: 0 }),
  // process
  'a cwd that is there': process({ cwd: '/tmp' }),
  'environment in its order': process({ env: ['PATH=/bin', 'B=2', 'A=1', 'EMPTY=', 'EQUALS=a=b'] }),
  'a home of its own': process({ env: ['PATH=/bin', 'HOME=/elsewhere'] }),
  'new privileges allowed': process({ noNewPrivileges: false }),
  'oomScoreAdj 500': process({ oomScoreAdj: 500 }),
  'oomScoreAdj 0': process({ oomScoreAdj: 0 }),
  'several limits': process({
    rlimits: [
      { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
      { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
      { type: 'RLIMIT_NPROC', soft: 500, hard: 600 },
      { type: 'RLIMIT_STACK', soft: 4_194_304, hard: 8_388_608 },
      { type: 'RLIMIT_FSIZE', soft: 1_000_000, hard: 2_000_000 },
    ],
  }),
  'no limits': process({ rlimits: [] }),
  // capabilities
  'no capabilities': capabilities({
    bounding: [],
    effective: [],
    permitted: [],
    inheritable: [],
    ambient: [],
  }),
  'all five sets': capabilities(
    Object.fromEntries(
      ['bounding', 'effective', 'permitted', 'inheritable', 'ambient'].map((set) => [
        set,
        ['CAP_CHOWN', 'CAP_NET_RAW', 'CAP_SYS_CHROOT'],
      ]),
    ),
  ),
  'a larger bounding set': capabilities({
    bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID'],
    effective: ['CAP_KILL'],
    permitted: ['CAP_KILL'],
  }),
  'capabilities of an ordinary user': {
    edit: (spec) => {
      spec.process!.user = { uid: 1000, gid: 1000 }
      const set = ['CAP_NET_BIND_SERVICE']
      spec.process!.capabilities = {
        bounding: set,
        effective: set,
        permitted: set,
        inheritable: set,
        ambient: set,
      }
    },
  },
  'no capabilities property': { edit: (spec) => void delete spec.process!.capabilities },
  // namespaces
  'the host network': without('network'),
  'the host ipc': without('ipc'),
  'the host uts': without('uts'),
  'the host pids': without('pid'),
  'the host cgroups': without('cgroup'),
  'a joined network': joining('network'),
  'a joined ipc': joining('ipc'),
  'a joined uts': joining('uts'),
  'joined pids': joining('pid'),
  'a user namespace with ranges': {
    edit: (spec) => {
      spec.linux!.namespaces!.push({ type: 'user' })
      spec.linux!.uidMappings = [{ containerID: 0, hostID: 0, size: 100_000 }]
      spec.linux!.gidMappings = [{ containerID: 0, hostID: 0, size: 100_000 }]
    },
  },
  'a domain name': { edit: (spec) => void (spec.domainname = 'example.test') },
  'a long host name': { edit: (spec) => void (spec.hostname = 'h'.repeat(63)) },
  // root
  'a writable root': { edit: (spec) => void (spec.root!.readonly = false) },
  'no masked paths': linux({ maskedPaths: [] }),
  'no read-only paths': linux({ readonlyPaths: [] }),
  'a masked file and a masked directory': {
    ...linux({ maskedPaths: ['/etc/passwd', '/tmp', '/missing'] }),
    places: ['/etc/passwd', '/tmp'],
  },
  'a read-only path below /proc': linux({ readonlyPaths: ['/proc/sys/kernel', '/proc/missing'] }),
  'a private root': linux({ rootfsPropagation: 'private' }),
  'a slave root': linux({ rootfsPropagation: 'slave' }),
  // mounts
  'a tmpfs with size and mode': mounts({
    destination: '/tmp',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'nodev', 'size=1m', 'mode=1770', 'uid=5', 'gid=6'],
  }),
  'a tmpfs without options': mounts({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' }),
  'a read-only tmpfs': mounts({
    destination: '/tmp',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['ro', 'noexec'],
  }),
  'two mounts on one place': mounts(
    { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['size=1m'] },
    { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['size=2m', 'ro'] },
  ),
  'a mount within a mount': mounts(
    { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] },
    { destination: '/tmp/deep/er', type: 'tmpfs', source: 'tmpfs', options: ['mode=700'] },
  ),
  'a later option wins': mounts({
    destination: '/tmp',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['ro', 'noexec', 'rw', 'exec'],
  }),
  'access times': mounts({
    destination: '/tmp',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['noatime', 'nodiratime'],
  }),
  'strict access times': mounts({
    destination: '/tmp',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['strictatime', 'sync'],
  }),
  'a bind': bound(['bind']),
  'a recursive bind': bound(['rbind']),
  'a read-only bind': bound(['bind', 'ro']),
  'a bind with every restriction': bound(['rbind', 'ro', 'nosuid', 'nodev', 'noexec', 'noatime']),
  'a bind of a file': bound(['bind'], (path) => writeFileSync(path, 'content\n')),
  'a read-only bind of a file': bound(['bind', 'ro'], (path) => writeFileSync(path, 'content\n')),
  'a private bind': bound(['bind', 'private']),
  'a slave bind': bound(['rbind', 'rslave']),
  'a shared bind': bound(['rbind', 'rshared']),
  'a relative source': {
    edit: (spec, { bundle }) => {
      mkdirSync(join(bundle, 'relative'))
      spec.mounts!.push({ destination: '/data', source: 'relative', options: ['bind'] })
    },
    places: ['/data'],
  },
  'a writable cgroup mount': {
    edit: (spec) => {
      const mount = spec.mounts!.find(({ type }) => type === 'cgroup')!
      mount.options = mount.options!.filter((option) => option !== 'ro')
    },
  },
  'no mounts beyond proc': {
    edit: (spec) =>
      void (spec.mounts = spec.mounts!.filter(({ destination }) => ['/proc', '/dev'].includes(destination))),
  },
  // devices
  'a device with owner and mode': device('/dev/own'),
  'a device in a directory of its own': device('/dev/sub/own'),
  'a device without a mode': device('/dev/plain', { fileMode: undefined, uid: undefined, gid: undefined }),
  'a block device': device('/dev/block', { type: 'b', major: 7, minor: 200 }),
  'a FIFO': device('/dev/fifo', { type: 'p', major: undefined, minor: undefined }),
  'device rules': resources({
    devices: [
      { allow: false, access: 'rwm' },
      { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
      { allow: true, type: 'b', major: 8, access: 'r' },
    ],
  }),
  // resources
  'a memory limit': resources({ memory: { limit: 67_108_864 } }),
  'memory and reservation': resources({ memory: { limit: 67_108_864, reservation: 33_554_432 } }),
  'memory unlimited': resources({ memory: { limit: -1 } }),
  'cpu shares': { ...resources({ cpu: { shares: 512 } }), differs: NEWER_WEIGHT },
  'cpu quota and period': resources({ cpu: { quota: 50_000, period: 200_000 } }),
  'a cpu set': resources({ cpu: { cpus: '0' } }),
  'a limit of processes': resources({ pids: { limit: 50 } }),
  'processes unlimited': resources({ pids: { limit: -1 } }),
  'several resources': {
    ...resources({
      pids: { limit: 50 },
      memory: { limit: 67_108_864 },
      cpu: { shares: 2048 },
    }),
    differs: NEWER_WEIGHT,
  },
  // sysctl
  'sysctl of ipc': linux({ sysctl: { 'kernel.msgmax': '12345', 'kernel.sem': '250 32000 100 200' } }),
  'sysctl of the network': linux({
    sysctl: { 'net.ipv4.ip_unprivileged_port_start': '80', 'net.ipv4.ping_group_range': '0 10' },
  }),
  // hooks
  'hooks of the host, of every kind': hooks(
    'prestart',
    'createRuntime',
    'createContainer',
    'poststart',
    'poststop',
  ),
  'a hook inside': {
    edit: (spec) => {
      const args = ['sh', '-c', 'cat > /dev/shm/state; pwd > /dev/shm/cwd; chmod 604 /dev/shm/*']
      spec.hooks = { startContainer: [{ path: '/bin/sh', args, env: ['PATH=/bin'] }] }
    },
    places: ['/dev/shm/cwd'],
  },
  'a hook inside that fails': {
    edit: (spec) => void (spec.hooks = { startContainer: [{ path: '/bin/false' }] }),
  },
  'a hook before the start that fails': {
    edit: (spec) => void (spec.hooks = { createRuntime: [{ path: '/bin/false' }] }),
  },
  'a hook after the start that fails': {
    edit: (spec) => void (spec.hooks = { poststart: [{ path: '/bin/false' }] }),
  },
  'hooks before the start': hooks('createRuntime', 'createContainer'),
  'hooks after': hooks('poststart', 'poststop'),
  // exit status
  'exit code 0': program('true'),
  'exit code 1': program('false'),
  'exit code 42': program('sh', '-c', 'exit 42'),
  'death by SIGKILL': program('sh', '-c', 'echo before; kill -KILL $$; echo after'),
  'a program by its path': program('/bin/sh', '-c', 'echo $0'),
  'a program that is missing': program('no-such-program'),
  'a program that is a directory': program('/tmp'),
  'a program that may not be executed': program('/etc/passwd'),
  // refusals
  'no program at all': { edit: (spec) => void (spec.process!.args = []) },
  'a mount of unknown type': mounts({ destination: '/tmp', type: 'nosuchfs', source: 'none' }),
  'a missing source of a bind': mounts({ destination: '/tmp', source: '/no/such/source', options: ['bind'] }),
  'a host name without a uts namespace': {
    edit: (spec) =>
      void (spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'uts')),
  },
  'sysctl of the host': {
    edit: (spec) => {
      spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'ipc')
      spec.linux!.sysctl = { 'kernel.msgmax': '12345' }
    },
  },
  'a namespace twice': { edit: (spec) => void spec.linux!.namespaces!.push({ type: 'ipc' }) },
}

export const configurations: Configuration[] = Object.entries(table).map(([name, rest]) => ({
  name,
  ...rest,
}))
