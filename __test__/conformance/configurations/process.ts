/** Ids, environment, limits and capabilities of the process. */
import { all, edit, process, program, user, type Table } from './edit.ts'

const rlimit = (type: string, soft: number, hard: number): object => ({ type, soft, hard })
const rlimits = (...limits: object[]) => process({ rlimits: limits })
const capabilities = (change: object) => process({ capabilities: change })
const same = (...set: string[]) =>
  capabilities({ bounding: set, effective: set, permitted: set, inheritable: set, ambient: set })
const ordinary = user({ uid: 1000, gid: 1000 })

export const processes: Table = {
  'the default': { edit: () => {} },
  // ids
  'uid and gid': ordinary,
  'additional groups': user({ uid: 1000, gid: 1000, additionalGids: [5, 6, 7] }),
  'additional groups of root': user({ additionalGids: [5, 6] }),
  'a group twice': user({ uid: 1000, gid: 1000, additionalGids: [5, 5, 1000] }),
  'an id without an entry in passwd': user({ uid: 4242, gid: 4343 }),
  'umask 027': user({ umask: 0o27 }),
  'umask 0': user({ umask: 0 }),
  'umask 0777': user({ umask: 0o777 }),
  // cwd and environment
  'a cwd that is there': process({ cwd: '/tmp' }),
  'a cwd with dots': process({ cwd: '/tmp/../etc/.' }),
  'an environment in its order': process({ env: ['PATH=/bin', 'B=2', 'A=1', 'EMPTY=', 'EQUALS=a=b'] }),
  'a home of its own': process({ env: ['PATH=/bin', 'HOME=/elsewhere'] }),
  'the home of an entry in passwd': all(ordinary, process({ env: ['PATH=/bin'] })),
  'no environment': program('/bin/sh', '-c', 'echo "$HOME"'),
  'a variable twice': process({ env: ['PATH=/bin', 'A=1', 'A=2'] }),
  'new privileges allowed': process({ noNewPrivileges: false }),
  'new privileges allowed for an ordinary user': all(ordinary, process({ noNewPrivileges: false })),
  'oomScoreAdj 500': process({ oomScoreAdj: 500 }),
  'oomScoreAdj 1000': process({ oomScoreAdj: 1000 }),
  'oomScoreAdj 0': process({ oomScoreAdj: 0 }),
  // limits
  'several limits': rlimits(
    rlimit('RLIMIT_NOFILE', 100, 200),
    rlimit('RLIMIT_CORE', 0, 0),
    rlimit('RLIMIT_NPROC', 500, 600),
    rlimit('RLIMIT_STACK', 4_194_304, 8_388_608),
    rlimit('RLIMIT_FSIZE', 1_000_000, 2_000_000),
  ),
  'limits of memory': rlimits(
    rlimit('RLIMIT_AS', 4_000_000_000, 5_000_000_000),
    rlimit('RLIMIT_DATA', 2_000_000_000, 3_000_000_000),
    rlimit('RLIMIT_RSS', 1_000_000, 2_000_000),
    rlimit('RLIMIT_MEMLOCK', 4096, 8192),
  ),
  'limits of time and priority': rlimits(
    rlimit('RLIMIT_CPU', 100, 200),
    rlimit('RLIMIT_NICE', 0, 0),
    rlimit('RLIMIT_RTPRIO', 0, 0),
    rlimit('RLIMIT_RTTIME', 1000, 2000),
  ),
  'limits of queues and locks': rlimits(
    rlimit('RLIMIT_SIGPENDING', 100, 200),
    rlimit('RLIMIT_MSGQUEUE', 1000, 2000),
    rlimit('RLIMIT_LOCKS', 10, 20),
  ),
  'no limits': rlimits(),
  'an unknown limit': rlimits(rlimit('RLIMIT_NOTHING', 1, 1)),
  'a soft limit above the hard one': rlimits(rlimit('RLIMIT_NOFILE', 2, 1)),
  // capabilities
  'no capabilities': same(),
  'all five sets': same('CAP_CHOWN', 'CAP_NET_RAW', 'CAP_SYS_CHROOT'),
  'a larger bounding set': capabilities({
    bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID'],
    effective: ['CAP_KILL'],
    permitted: ['CAP_KILL'],
  }),
  'a bounding set alone': capabilities({ bounding: ['CAP_CHOWN', 'CAP_KILL'] }),
  'an inheritable set': capabilities({
    bounding: ['CAP_CHOWN', 'CAP_KILL'],
    permitted: ['CAP_CHOWN', 'CAP_KILL'],
    effective: ['CAP_CHOWN'],
    inheritable: ['CAP_KILL'],
  }),
  'a capability twice': capabilities({
    bounding: ['CAP_KILL', 'CAP_KILL'],
    permitted: ['CAP_KILL', 'CAP_KILL'],
  }),
  'capabilities of an ordinary user': all(ordinary, same('CAP_NET_BIND_SERVICE')),
  'capabilities of an ordinary user without ambient ones': all(
    ordinary,
    capabilities({ bounding: ['CAP_CHOWN'], effective: ['CAP_CHOWN'], permitted: ['CAP_CHOWN'] }),
  ),
  'capabilities of an ordinary user that may gain privileges': all(
    ordinary,
    same('CAP_NET_BIND_SERVICE', 'CAP_CHOWN'),
    process({ noNewPrivileges: false }),
  ),
  'no capabilities property': edit((spec) => void delete spec.process!.capabilities),
  // exit status
  'exit code 0': program('true'),
  'exit code 1': program('false'),
  'exit code 42': program('sh', '-c', 'exit 42'),
  'death by SIGKILL': program('sh', '-c', 'echo before; kill -KILL $$; echo after'),
  'a program by its path': program('/bin/sh', '-c', 'echo $0'),
  'a program relative to cwd': all(process({ cwd: '/bin' }), program('./sh', '-c', 'echo $0')),
  'arguments that are empty or hold blanks': program(
    'sh',
    '-c',
    'for word; do echo "<$word>"; done',
    'x',
    '',
    'a b',
    '"',
  ),
  'signals that are not ignored': program('sh', '-c', 'grep -E "^Sig(Blk|Ign)" /proc/self/status'),
  'a program that is missing': program('no-such-program'),
  'a program whose path is missing': program('/no/such/program'),
  'a program that is a directory': program('/tmp'),
  'a program that may not be executed': program('/etc/passwd'),
  'a program that is not in PATH': all(process({ env: ['PATH=/no/such'] }), program('sh')),
}
