/** One change of a valid config.json for every rule, with the path and words of the message. */
import type { Change } from './base.ts'

export type Case = [path: string, words: string, change: Change]

const many = Array.from({ length: 341 }, (_, id) => ({ containerID: id, hostID: id, size: 1 }))
const without =
  (...types: string[]): Change =>
  (c) => {
    c.linux.namespaces = c.linux.namespaces.filter(({ type }: { type: string }) => !types.includes(type))
  }
const inCallersMounts =
  (change: Change): Change =>
  (c) => {
    without('mount')(c)
    change(c)
  }
const seccomp =
  (change: Change): Change =>
  (c) =>
    change(c.linux.seccomp)
const resources =
  (change: Change): Change =>
  (c) =>
    change(c.linux.resources)
const lastNamespace =
  (entry: object): Change =>
  (c) =>
    void c.linux.namespaces.push(entry)

/** Refused in both modes. */
export const errors: Case[] = [
  ['ociVersion', 'SemVer', (c) => (c.ociVersion = 'latest')],
  ['ociVersion', 'is missing: it must be a text', (c) => delete c.ociVersion],
  ['root', 'required on Linux', (c) => delete c.root],
  ['root.path', 'must be a path, not ""', (c) => (c.root.path = '')],
  ['root.path', 'NUL', (c) => (c.root.path = 'a\0b')],
  ['linux.namespaces[8]', 'a second "ipc" namespace', lastNamespace({ type: 'ipc' })],
  ['linux.namespaces[8].type', 'must be one of', lastNamespace({ type: 'pids' })],
  ['linux.namespaces[1].path', 'absolute', (c) => (c.linux.namespaces[1].path = 'proc/1/ns/net')],
  ['hostname', 'unable to set hostname without a private UTS namespace', without('uts')],
  ['hostname', 'at most 64 bytes', (c) => (c.hostname = 'é'.repeat(33))],
  [
    'domainname',
    'unable to set domainname without a private UTS namespace',
    (c) => {
      c.domainname = 'example.org'
      without('uts')(c)
    },
  ],
  ['linux.uidMappings', 'needs a "user" namespace', without('user')],
  ['linux.gidMappings', 'needs a "user" namespace', without('user')],
  ['linux.uidMappings', 'at most 340', (c) => (c.linux.uidMappings = many)],
  ['linux.uidMappings[0].size', 'must not be 0', (c) => (c.linux.uidMappings[0].size = 0)],
  ['linux.gidMappings[0]', 'beyond the last id', (c) => (c.linux.gidMappings[0].hostID = 4294967290)],
  ['linux', 'belong together', (c) => delete c.linux.gidMappings],
  ['process.user.uid', '10 is not mapped', (c) => (c.process.user.uid = 10)],
  ['process.user.gid', 'invalid id', (c) => (c.process.user.gid = 4294967295)],
  ['process.user.additionalGids[0]', 'invalid id', (c) => (c.process.user.additionalGids = [4294967295])],
  ['linux.devices[0].gid', 'invalid id', (c) => (c.linux.devices[0].gid = 4294967295)],
  ['process.user.gid', '10 is not mapped', (c) => (c.process.user.gid = 10)],
  ['process.user.additionalGids[0]', '10 is not mapped', (c) => (c.process.user.additionalGids = [10])],
  ['linux.timeOffsets', 'new "time" namespace', without('time')],
  ['linux.timeOffsets', 'joined', (c) => (c.linux.namespaces[7].path = '/proc/1/ns/time')],
  [
    'linux.timeOffsets.monotonic.nanosecs',
    'below 1000000000',
    (c) => (c.linux.timeOffsets.monotonic.nanosecs = 1e9),
  ],
  ['mounts[0].destination', 'a path', (c) => (c.mounts[0].destination = '')],
  ['mounts[0].destination', 'a path', (c) => (c.mounts[0].destination = '/a\0')],
  ['mounts[1].source', 'a bind mount needs one', (c) => delete c.mounts[1].source],
  ['mounts[1]', 'belong together', (c) => (c.mounts[1].uidMappings = many.slice(0, 1))],
  [
    'mounts[1].gidMappings[0].size',
    'must not be 0',
    (c) => {
      c.mounts[1].uidMappings = many.slice(0, 1)
      c.mounts[1].gidMappings = [{ containerID: 0, hostID: 0, size: 0 }]
    },
  ],
  [
    'mounts[1]',
    'needs mappings',
    (c) => {
      without('user')(c)
      delete c.linux.uidMappings
      delete c.linux.gidMappings
      c.mounts[1].options.push('idmap')
    },
  ],
  ['linux.devices[0].path', 'absolute', (c) => (c.linux.devices[0].path = 'fuse')],
  ['linux.devices[0].type', 'one of c, b, u, p', (c) => (c.linux.devices[0].type = 'x')],
  ['linux.devices[0].major', 'as the type is not p', (c) => delete c.linux.devices[0].major],
  ['linux.devices[0].minor', 'from 0 to 4294967295', (c) => (c.linux.devices[0].minor = -1)],
  ['linux.devices[0].fileMode', 'whole number', (c) => (c.linux.devices[0].fileMode = 666_666)],
  ['linux.netDevices.eth0.name', '1 to 15 bytes', (c) => (c.linux.netDevices = { eth0: { name: 'a/b' } })],
  ['linux.netDevices.eth0.name', 'at most one %d', (c) => (c.linux.netDevices = { eth0: { name: 'e%d%d' } })],
  ['linux.netDevices.eth0.name', '1 to 15 bytes', (c) => (c.linux.netDevices = { eth0: { name: 'voilà' } })],
  ['linux.netDevices["eth%d"]', '1 to 15 bytes', (c) => (c.linux.netDevices = { 'eth%d': {} })],
  ['linux.netDevices["eth 0"]', '1 to 15 bytes', (c) => (c.linux.netDevices = { 'eth 0': {} })],
  [
    'linux.netDevices.eth1.name',
    'a second interface "eth0"',
    (c) => (c.linux.netDevices = { eth0: {}, eth1: { name: 'eth0' } }),
  ],
  ['process.cwd', 'Cwd must be an absolute path', (c) => (c.process.cwd = 'tmp')],
  ['process.args', 'args must not be empty', (c) => (c.process.args = [])],
  ['process.args', 'args must not be empty', (c) => delete c.process.args],
  ['process.args[0]', 'must not be empty', (c) => (c.process.args = [''])],
  ['process.args[1]', 'NUL', (c) => c.process.args.push('\0')],
  ['process.env[1]', 'NUL', (c) => c.process.env.push('A=\0')],
  ['process.oomScoreAdj', 'from -1000 to 1000, not 1001', (c) => (c.process.oomScoreAdj = 1001)],
  ['process.user.umask', 'decimal', (c) => (c.process.user.umask = 755)],
  ['process.rlimits[0].type', 'unknown resource limit', (c) => (c.process.rlimits[0].type = 'RLIMIT_FOO')],
  ['process.rlimits[1]', 'a second RLIMIT_NOFILE', (c) => c.process.rlimits.push(c.process.rlimits[0])],
  [
    'process.rlimits[0].soft',
    'above the hard limit 1024',
    (c) => (c.process.rlimits[0].soft = 2n ** 64n - 1n),
  ],
  [
    'process.scheduler.nice',
    'from -20 to 19',
    (c) => (c.process.scheduler = { policy: 'SCHED_OTHER', nice: 20 }),
  ],
  [
    'process.scheduler.nice',
    'for SCHED_OTHER',
    (c) => (c.process.scheduler = { policy: 'SCHED_RR', nice: 1, priority: 1 }),
  ],
  [
    'process.scheduler.priority',
    'for SCHED_FIFO',
    (c) => (c.process.scheduler = { policy: 'SCHED_BATCH', priority: 1 }),
  ],
  [
    'process.scheduler.priority',
    'from 1 to 99',
    (c) => (c.process.scheduler = { policy: 'SCHED_FIFO', priority: 100 }),
  ],
  [
    'process.scheduler.runtime',
    'for SCHED_DEADLINE',
    (c) => (c.process.scheduler = { policy: 'SCHED_IDLE', runtime: 1 }),
  ],
  [
    'process.scheduler.runtime',
    'at most the deadline 5000',
    (c) => (c.process.scheduler = { policy: 'SCHED_DEADLINE', runtime: 6000, deadline: 5000, period: 7000 }),
  ],
  [
    'process.scheduler.deadline',
    'at most the period 4000',
    (c) => (c.process.scheduler = { policy: 'SCHED_DEADLINE', runtime: 2000, deadline: 5000, period: 4000 }),
  ],
  [
    'process.scheduler.runtime',
    'from 1024 to 9223372036854775807',
    (c) => (c.process.scheduler = { policy: 'SCHED_DEADLINE', deadline: 5000 }),
  ],
  [
    'process.scheduler.deadline',
    'from 1024 to 9223372036854775807',
    (c) => (c.process.scheduler = { policy: 'SCHED_DEADLINE', runtime: 1024, deadline: 2n ** 63n }),
  ],
  ['process.scheduler.policy', 'one of SCHED_OTHER', (c) => (c.process.scheduler = {})],
  ['process.scheduler.policy', 'one of SCHED_OTHER', (c) => (c.process.scheduler = { policy: 'SCHED_EXT' })],
  [
    'process.scheduler.flags[1]',
    'one of SCHED_FLAG_RESET_ON_FORK',
    (c) => (c.process.scheduler = { policy: 'SCHED_OTHER', flags: ['SCHED_FLAG_RECLAIM', 'RESET_ON_FORK'] }),
  ],
  ['process.scheduler', 'object', (c) => (c.process.scheduler = ['SCHED_BATCH'])],
  ['linux.personality', 'object', (c) => (c.linux.personality = ['LINUX'])],
  ['process.ioPriority.class', 'one of IOPRIO_CLASS_RT', (c) => (c.process.ioPriority = { priority: 1 })],
  [
    'process.ioPriority.priority',
    'from 0 to 7',
    (c) => (c.process.ioPriority = { class: 'IOPRIO_CLASS_BE', priority: 8 }),
  ],
  [
    'hooks.createRuntime[0].path',
    'an absolute path, not "true"',
    (c) => (c.hooks.createRuntime[0].path = 'true'),
  ],
  ['hooks.createRuntime[0].timeout', 'whole number from 1', (c) => (c.hooks.createRuntime[0].timeout = 0)],
  ['linux.sysctl["net.ipv4.ip_forward"]', 'needs a "network" namespace', without('network')],
  [
    'linux.sysctl["kernel.shmmax"]',
    'needs a "ipc"',
    (c) => (without('ipc')(c), (c.linux.sysctl = { 'kernel.shmmax': '1' })),
  ],
  [
    'linux.sysctl["fs.mqueue.msg_max"]',
    'needs a "ipc"',
    (c) => (without('ipc')(c), (c.linux.sysctl = { 'fs.mqueue.msg_max': '1' })),
  ],
  [
    'linux.sysctl["kernel/domainname"]',
    'needs a "uts"',
    (c) => (without('uts')(c), delete c.hostname, (c.linux.sysctl = { 'kernel/domainname': 'x' })),
  ],
  [
    'linux.sysctl["kernel.domainname"]',
    'conflicts with domainname',
    (c) => ((c.domainname = 'x'), (c.linux.sysctl = { 'kernel.domainname': 'y' })),
  ],
  [
    'linux.sysctl["kernel.hostname"]',
    'property hostname',
    (c) => (c.linux.sysctl = { 'kernel.hostname': 'x' }),
  ],
  [
    'linux.sysctl["user.max_mnt_namespaces"]',
    'needs a "user"',
    (c) => {
      without('user')(c)
      delete c.linux.uidMappings
      delete c.linux.gidMappings
      c.linux.sysctl = { 'user.max_mnt_namespaces': '1' }
    },
  ],
  [
    'linux.sysctl["vm.swappiness"]',
    'would change the host',
    (c) => (c.linux.sysctl = { 'vm.swappiness': '1' }),
  ],
  [
    'linux.sysctl["net/../vm/x"]',
    'not a name below /proc/sys',
    (c) => (c.linux.sysctl = { 'net/../vm/x': '1' }),
  ],
  ['linux.resources.devices[0].allow', 'true or false', resources((r) => delete r.devices[0].allow)],
  ['linux.resources.devices[0].type', 'one of a, b, c', resources((r) => (r.devices[0].type = 'u'))],
  ['linux.resources.devices[0].access', 'letters of r, w, m', resources((r) => (r.devices[0].access = 'rx'))],
  ['linux.resources.memory.limit', 'whole number', resources((r) => (r.memory.limit = '1G'))],
  ['linux.resources.memory.limit', 'not 1.5', resources((r) => (r.memory.limit = 1.5))],
  ['linux.resources.memory.swappiness', 'from 0 to 100', resources((r) => (r.memory.swappiness = 101))],
  ['linux.resources.cpu.burst', 'at most the quota 50000', resources((r) => (r.cpu.burst = 50_001))],
  [
    'linux.resources.rdma.mlx5_1',
    'needs hcaHandles or hcaObjects',
    resources((r) => (r.rdma = { mlx5_1: {} })),
  ],
  [
    'linux.resources.network.priorities[0].priority',
    'is missing',
    resources((r) => (r.network = { priorities: [{ name: 'lo' }] })),
  ],
  [
    'linux.resources.network.priorities[0].name',
    'is missing',
    resources((r) => (r.network = { priorities: [{ priority: 1 }] })),
  ],
  ['linux.resources.unified["../x"]', 'without /', resources((r) => (r.unified = { '../x': '1' }))],
  [
    'linux.resources.blockIO.weightDevice[0]',
    'needs weight or leafWeight',
    resources((r) => (r.blockIO = { weightDevice: [{ major: 8, minor: 0 }] })),
  ],
  [
    'linux.resources.blockIO.throttleReadBpsDevice[0].rate',
    'is missing',
    resources((r) => (r.blockIO = { throttleReadBpsDevice: [{ major: 8, minor: 0 }] })),
  ],
  [
    'linux.resources.hugepageLimits[0].pageSize',
    'such as 2MB',
    resources((r) => (r.hugepageLimits = [{ pageSize: '64kB', limit: 0 }])),
  ],
  ['linux.seccomp.defaultAction', 'is missing', seccomp((s) => delete s.defaultAction)],
  [
    'linux.seccomp.defaultErrnoRet',
    'not for SCMP_ACT_KILL',
    seccomp((s) => (s.defaultAction = 'SCMP_ACT_KILL')),
  ],
  [
    'linux.seccomp.syscalls[0].errnoRet',
    'not for SCMP_ACT_ALLOW',
    seccomp((s) => (s.syscalls[0].errnoRet = 1)),
  ],
  ['linux.seccomp.defaultErrnoRet', 'at most 4095', seccomp((s) => (s.defaultErrnoRet = 4096))],
  ['linux.seccomp.syscalls[0].names', 'at least one name', seccomp((s) => (s.syscalls[0].names = []))],
  [
    'linux.seccomp.syscalls[0].names[1]',
    'name of a system call',
    seccomp((s) => (s.syscalls[0].names[1] = '')),
  ],
  [
    'linux.seccomp.syscalls[0].args[0].index',
    'from 0 to 5',
    seccomp((s) => (s.syscalls[0].args[0].index = 6)),
  ],
  [
    'linux.seccomp.syscalls[0].args[0].value',
    'from 0 to 18446744073709551615',
    seccomp((s) => (s.syscalls[0].args[0].value = 2n ** 64n)),
  ],
  [
    'linux.seccomp.syscalls[0].args[0].op',
    'one of SCMP_CMP_NE',
    seccomp((s) => (s.syscalls[0].args[0].op = 'EQ')),
  ],
  ['linux.seccomp.architectures[0]', 'one of SCMP_ARCH_X86', seccomp((s) => (s.architectures = ['x86']))],
  [
    'linux.seccomp.flags[0]',
    'needs a rule with SCMP_ACT_NOTIFY',
    seccomp((s) => (s.flags = ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'])),
  ],
  [
    'linux.seccomp.listenerPath',
    'needed for SCMP_ACT_NOTIFY',
    seccomp((s) => s.syscalls.push({ names: ['mount'], action: 'SCMP_ACT_NOTIFY' })),
  ],
  ['linux.seccomp.listenerMetadata', 'needs listenerPath', seccomp((s) => (s.listenerMetadata = 'x'))],
  [
    'linux.seccomp.syscalls[1].errnoRet',
    'at most 65535',
    seccomp((s) => s.syscalls.push({ names: ['mount'], action: 'SCMP_ACT_TRACE', errnoRet: 65536 })),
  ],
  [
    'linux.seccomp.syscalls[2].action',
    'contradicts syscalls[1]',
    seccomp((s) => {
      const args = [{ index: 0, value: 7, op: 'SCMP_CMP_NE' }]
      s.syscalls.push({ names: ['mount'], action: 'SCMP_ACT_TRAP', args })
      s.syscalls.push({ names: ['read', 'mount'], action: 'SCMP_ACT_LOG', args })
    }),
  ],
  ['linux.intelRdt.closID', 'name of a directory', (c) => (c.linux.intelRdt = { closID: 'a/b' })],
  ['linux.intelRdt.closID', 'name of a directory', (c) => (c.linux.intelRdt = { closID: 'info' })],
  ['linux.intelRdt.l3CacheSchema', 'one line', (c) => (c.linux.intelRdt = { l3CacheSchema: 'L3:0=f\nx' })],
  ['linux.intelRdt.schemata[0]', 'one line', (c) => (c.linux.intelRdt = { schemata: ['a\nb'] })],
  ['linux.intelRdt.memBwSchema', 'starts with MB:', (c) => (c.linux.intelRdt = { memBwSchema: 'L3:' })],
  ['linux.memoryPolicy.mode', 'is missing', (c) => (c.linux.memoryPolicy = {})],
  [
    'linux.memoryPolicy.nodes',
    'takes none',
    (c) => (c.linux.memoryPolicy = { mode: 'MPOL_LOCAL', nodes: '0' }),
  ],
  [
    'linux.memoryPolicy.nodes',
    'ranges such as 0-3,7',
    (c) => (c.linux.memoryPolicy = { mode: 'MPOL_BIND', nodes: '0-3,seven' }),
  ],
  [
    'linux.memoryPolicy.flags[0]',
    'one of MPOL_F_NUMA_BALANCING',
    (c) => (c.linux.memoryPolicy = { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC'] }),
  ],
  ['linux.memoryPolicy.nodes', 'at least one', (c) => (c.linux.memoryPolicy = { mode: 'MPOL_BIND' })],
  [
    'linux.memoryPolicy.flags[0]',
    'for MPOL_BIND',
    (c) => (c.linux.memoryPolicy = { mode: 'MPOL_PREFERRED', flags: ['MPOL_F_NUMA_BALANCING'] }),
  ],
  [
    'linux.memoryPolicy.flags[1]',
    'excludes MPOL_F_RELATIVE_NODES',
    (c) =>
      (c.linux.memoryPolicy = {
        mode: 'MPOL_BIND',
        nodes: '0',
        flags: ['MPOL_F_RELATIVE_NODES', 'MPOL_F_STATIC_NODES'],
      }),
  ],
  ['linux.personality.domain', 'one of LINUX, LINUX32', (c) => (c.linux.personality = {})],
  ['linux.personality.domain', 'not "BSD"', (c) => (c.linux.personality = { domain: 'BSD' })],
  ['linux.rootfsPropagation', 'one of private, shared', (c) => (c.linux.rootfsPropagation = 'public')],
  ['annotations', 'must not be empty', (c) => (c.annotations[''] = 'x')],
  ['annotations.n', 'must be a text, not 5', (c) => (c.annotations['n'] = 5)],
  [
    'process.execCPUAffinity.final',
    'ranges such as 0-3,7',
    (c) => (c.process.execCPUAffinity = { initial: '', final: '3-1' }),
  ],
  [
    'process.execCPUAffinity.initial',
    'numbers up to 65536',
    (c) => (c.process.execCPUAffinity = { initial: '65537' }),
  ],
  [
    'process.execCPUAffinity.initial',
    'list of CPUs',
    (c) => (c.process.execCPUAffinity = { initial: 'all' }),
  ],
]

/** Refused by the strict mode alone. */
export const strictErrors: Case[] = [
  ['hostname', 'must be a text, not null', (c) => (c.hostname = null)],
  ['mounts', 'must be a list, not null', (c) => (c.mounts = null)],
  ['linux.seccomp.architectures', 'must be a list, not null', seccomp((s) => (s.architectures = null))],
  ['ociVersion', 'SemVer', (c) => (c.ociVersion = '1.0.0-')],
  ['ociVersion', 'SemVer', (c) => (c.ociVersion = '1.0')],
  ['linux.namespaces[0].path', 'or left out', (c) => (c.linux.namespaces[0].path = '')],
  ['linux.devices[0].fileMode', 'from 0 to 511', (c) => (c.linux.devices[0].fileMode = 8630)],
  ['linux.rootfsPropagation', 'one of private', (c) => (c.linux.rootfsPropagation = 'rslave')],
  ['process.user.uid', 'is missing', (c) => delete c.process.user.uid],
  ['process.user', 'is missing', (c) => delete c.process.user],
  ['process.ioPriority.priority', 'is missing', (c) => (c.process.ioPriority = { class: 'IOPRIO_CLASS_BE' })],
  ['linux.resources.pids.limit', 'is missing', resources((r) => (r.pids = {}))],
  ['linux.resources.cpu.idle', '0 or 1', resources((r) => (r.cpu.idle = 2))],
  ['linux.resources.cpu.cpus', 'such as 0-3,7', resources((r) => (r.cpu.cpus = 'all'))],
  ['linux.resources.blockIO.weight', 'from 10 to 1000', resources((r) => (r.blockIO = { weight: 5 }))],
  ['linux.maskedPaths[0]', 'absolute', (c) => (c.linux.maskedPaths = ['proc'])],
  ['freebsd.jail.vnet', 'one of new, inherit', (c) => (c.freebsd = { jail: { vnet: 'disable' } })],
  ['windows.layerFolders', 'at least one folder', (c) => (c.windows = { layerFolders: [] })],
  ['vm.kernel', 'is missing', (c) => (c.vm = {})],
  ['zos.namespaces[0].type', 'one of mount, pid', (c) => (c.zos = { namespaces: [{ type: 'net' }] })],
  ['solaris.anet', 'a list', (c) => (c.solaris = { anet: {} })],
]

/** Warnings, which `runnable` makes errors. */
export const notRunnable: Case[] = [
  ['process.apparmorProfile', 'a newline', (c) => (c.process.apparmorProfile = 'a\nb')],
  ['process.selinuxLabel', 'NUL', (c) => (c.process.selinuxLabel = 'a\0')],
  ['linux.mountLabel', 'quotation mark', (c) => (c.linux.mountLabel = 'a",size=1')],
  [
    'process.scheduler.flags',
    'startContainer hooks cannot run under SCHED_DEADLINE',
    (c) => {
      c.process.scheduler = { policy: 'SCHED_DEADLINE', runtime: 1024, deadline: 2048 }
      c.hooks.startContainer = c.hooks.createRuntime
    },
  ],
  [
    'linux.personality.flags',
    'supports no flags',
    (c) => (c.linux.personality = { domain: 'LINUX', flags: ['ADDR_NO_RANDOMIZE'] }),
  ],
  [
    'mounts[1].options',
    'needs the option "bind"',
    (c) => (c.mounts[1] = { destination: '/x', type: 'bind', source: '/etc' }),
  ],
  [
    'linux.netDevices',
    'without a NET namespace',
    (c) => {
      without('network')(c)
      delete c.linux.sysctl
      c.linux.netDevices = { eth0: {} }
    },
  ],
  ['ociVersion', '"2.0.0" is not supported', (c) => (c.ociVersion = '2.0.0')],
  ['linux.cgroupsPath', 'must not contain ".."', (c) => (c.linux.cgroupsPath = '../up')],
  ['linux.cgroupsPath', 'must not contain ".."', (c) => (c.linux.cgroupsPath = '/a/../../up')],
  ['linux.cgroupsPath', 'below the top', (c) => (c.linux.cgroupsPath = '//./')],
  ['linux.cgroupsPath', 'a NUL or a newline', (c) => (c.linux.cgroupsPath = '/a\nb')],
  ['linux.resources.devices[0].access', 'is missing', resources((r) => delete r.devices[0].access)],
  ['linux.resources.devices[0].access', 'is missing', resources((r) => (r.devices[0].access = ''))],
  ['linux.resources.devices[0].major', 'device number', resources((r) => (r.devices[0].major = -2))],
  ['linux.resources.devices[0].minor', 'device number', resources((r) => (r.devices[0].minor = 2 ** 32))],
  ['linux.resources.memory.limit', '-1 for no limit', resources((r) => (r.memory.limit = -2))],
  ['linux.resources.memory.reservation', '-1 for no limit', resources((r) => (r.memory.reservation = -2))],
  ['linux.resources.memory.swap', '-1 for no limit', resources((r) => (r.memory.swap = -5))],
  [
    'linux.resources.hugepageLimits[0].limit',
    'must be at most 9223372036854775807',
    resources((r) => (r.hugepageLimits = [{ pageSize: '2MB', limit: 2n ** 63n }])),
  ],
  [
    'linux.resources.network.priorities[0].name',
    'without spaces',
    resources((r) => (r.network = { priorities: [{ name: 'eth0 7', priority: 5 }] })),
  ],
  [
    'linux.resources.rdma["mlx5 1"]',
    'without spaces',
    resources((r) => (r.rdma = { 'mlx5 1': { hcaHandles: 3 } })),
  ],
  ['linux.resources.unified.memory', 'such as memory.high', resources((r) => (r.unified = { memory: '1' }))],
  ['linux.resources.unified[".max"]', 'such as memory.high', resources((r) => (r.unified = { '.max': '1' }))],
  ['mounts', 'a user namespace may mount nothing', without('mount')],
  ['linux.devices', 'a user namespace may mount nothing', without('mount')],
  ['linux.maskedPaths', 'unable to restrict', inCallersMounts((c) => (c.linux.maskedPaths = ['/x']))],
  ['linux.readonlyPaths', 'unable to restrict', inCallersMounts((c) => (c.linux.readonlyPaths = ['/x']))],
  ['root.readonly', 'needs a "mount" namespace', inCallersMounts((c) => (c.root.readonly = true))],
  [
    'linux.rootfsPropagation',
    'needs a "mount" namespace',
    inCallersMounts((c) => (c.linux.rootfsPropagation = 'slave')),
  ],
  [
    'linux.timeOffsets.realtime',
    'expected monotonic or boottime',
    (c) => (c.linux.timeOffsets.realtime = {}),
  ],
  ['mounts[0].destination', 'root itself', (c) => (c.mounts[0].destination = '/./')],
  ['mounts[0].destination', 'root itself', (c) => (c.mounts[0].destination = '/a/../..')],
  ['mounts[0].type', 'needed unless', (c) => delete c.mounts[0].type],
  ['mounts[0].options', 'only supported for bind-mounts', (c) => (c.mounts[0].options = ['idmap'])],
  ['mounts[0].options', 'for bind mounts only', (c) => (c.mounts[0].options = ['dest-nofollow'])],
  [
    'mounts[1].options',
    'mutually exclusive',
    (c) => c.mounts[1].options.push('src-nofollow', 'copy-symlink'),
  ],
  ['mounts[1].options', 'expected uids=', (c) => c.mounts[1].options.push('idmap=1-2-3')],
  ['mounts[1].options', 'three numbers', (c) => c.mounts[1].options.push('ridmap=uids=1-2;gids=1-2-3')],
  ['mounts[1].options', 'both uids= and gids=', (c) => c.mounts[1].options.push('idmap=uids=1-2-3')],
  [
    'mounts[1].options',
    'not mapped in the container',
    (c) => c.mounts[1].options.push('idmap=uids=@4294967294-4294967294-1;gids=0-0-1'),
  ],
  ['mounts[0].options', 'tmpfs only', (c) => (c.mounts[0].options = ['tmpcopyup'])],
  ['linux.devices[0].path', '".."', (c) => (c.linux.devices[0].path = '/dev/../x')],
  [
    'process.consoleSize',
    '65535',
    (c) => {
      c.process.terminal = true
      c.process.consoleSize = { height: 70000, width: 1 }
    },
  ],
  [
    'hooks.createRuntime[0].timeout',
    'at most 4294967295',
    (c) => (c.hooks.createRuntime[0].timeout = 2 ** 40),
  ],
]

/** Warnings always. */
export const warnings: Case[] = [
  [
    'process.scheduler.policy',
    'does not implement it',
    (c) => (c.process.scheduler = { policy: 'SCHED_ISO' }),
  ],
  ['mounts[1].options', 'a bind mount ignores it', (c) => c.mounts[1].options.push('size=1')],
  ['mounts[0].destination', 'deprecated', (c) => (c.mounts[0].destination = 'proc')],
  ['mounts[0].options[0]', '"hidepidd=2" is unknown', (c) => (c.mounts[0].options = ['hidepidd=2'])],
  [
    'mounts[1]',
    'not the option idmap',
    (c) => (c.mounts[1].uidMappings = c.mounts[1].gidMappings = many.slice(0, 1)),
  ],
  [
    'linux.devices[1]',
    'same device as linux.devices[0]',
    (c) => c.linux.devices.push({ ...c.linux.devices[0], path: '/dev/f' }),
  ],
  ['process.env[1]', 'is not NAME=value', (c) => c.process.env.push('JUST')],
  [
    'process.capabilities.bounding[1]',
    'unknown capability',
    (c) => c.process.capabilities.bounding.push('CAP_FLY'),
  ],
  [
    'process.capabilities.effective[1]',
    'not permitted',
    (c) => c.process.capabilities.effective.push('CAP_CHOWN'),
  ],
  [
    'process.capabilities.ambient[0]',
    'not inheritable',
    (c) => (c.process.capabilities.ambient = ['CAP_KILL']),
  ],
  ['hooks.prestart', 'deprecated', (c) => (c.hooks.prestart = c.hooks.createRuntime)],
  [
    'linux.resources.memory.reservation',
    'above the limit',
    resources((r) => (r.memory.reservation = 2 ** 40)),
  ],
  ['linux.resources.memory.swap', 'below the limit', resources((r) => (r.memory.swap = 1))],
  ['linux.resources.memory.swap', 'needs a limit', resources((r) => delete r.memory.limit)],
  ['linux.resources.memory', 'not recommended', resources((r) => (r.memory.kernel = 1))],
  ['linux.resources.cpu.shares', 'beside idle', resources((r) => (r.cpu.idle = 1))],
  [
    'linux.resources.hugepageLimits[1]',
    'a second limit for 2MB',
    resources((r) => (r.hugepageLimits = Array(2).fill({ pageSize: '2MB', limit: 0 }))),
  ],
  [
    'linux.seccomp.syscalls[0].args[0].valueTwo',
    'no effect on SCMP_CMP_EQ',
    seccomp((s) => (s.syscalls[0].args[0].valueTwo = 1)),
  ],
  [
    'linux.seccomp.defaultAction',
    'is refused by runc',
    seccomp((s) => {
      delete s.defaultErrnoRet
      Object.assign(s, { defaultAction: 'SCMP_ACT_NOTIFY', listenerPath: '/s' })
    }),
  ],
  [
    'linux.seccomp.syscalls[1].names[0]',
    'is refused by runc',
    seccomp((s) => {
      s.listenerPath = '/s'
      s.syscalls.push({ names: ['write'], action: 'SCMP_ACT_NOTIFY' })
    }),
  ],
]
