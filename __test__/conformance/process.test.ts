/** config.md, "Process", "POSIX process", "Linux Process" and "User"; runtime-linux.md, "File descriptors". */
import { readFileSync } from 'node:fs'
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import { until } from '../fixtures/until.ts'
import { isRoot, process_, requirements, type Requirement } from './requirements.ts'

const invalid = { refused: 'ERR_INVALID_SPEC' } as const
const lacks = (property: string): Requirement => ({
  edit: (spec) => void delete (spec.process as object as Record<string, unknown>)[property],
  ...invalid,
})
const user = (change: object) => (spec: RuntimeSpec) => void Object.assign(spec.process!.user!, change)
const rlimits = (...all: object[]) => process_({ rlimits: all })
const nofile = { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 }

/** Each limit with values that an ordinary user may set, and its line in /proc/self/limits. */
const LIMITS: ReadonlyArray<[type: string, line: string, soft: number, hard: number]> = [
  ['RLIMIT_AS', 'Max address space', 1_000_000_000, 2_000_000_000],
  ['RLIMIT_CORE', 'Max core file size', 0, 0],
  ['RLIMIT_CPU', 'Max cpu time', 100, 200],
  ['RLIMIT_DATA', 'Max data size', 1_000_000_000, 2_000_000_000],
  ['RLIMIT_FSIZE', 'Max file size', 1_000_000, 2_000_000],
  ['RLIMIT_LOCKS', 'Max file locks', 10, 20],
  ['RLIMIT_MEMLOCK', 'Max locked memory', 4096, 8192],
  ['RLIMIT_MSGQUEUE', 'Max msgqueue size', 1000, 2000],
  ['RLIMIT_NICE', 'Max nice priority', 0, 0],
  ['RLIMIT_NOFILE', 'Max open files', 100, 200],
  ['RLIMIT_NPROC', 'Max processes', 500, 600],
  ['RLIMIT_RSS', 'Max resident set', 1_000_000_000, 2_000_000_000],
  ['RLIMIT_RTPRIO', 'Max realtime priority', 0, 0],
  ['RLIMIT_RTTIME', 'Max realtime timeout', 1000, 2000],
  ['RLIMIT_SIGPENDING', 'Max pending signals', 100, 200],
  ['RLIMIT_STACK', 'Max stack size', 4_194_304, 8_388_608],
]

requirements({
  // process
  'an empty process is refused': { edit: (spec) => void (spec.process = {} as never), ...invalid },
  'process without cwd is refused': lacks('cwd'),
  'a relative cwd is refused': { edit: process_({ cwd: 'tmp' }), ...invalid },
  'cwd is the working directory': { edit: process_({ cwd: '/tmp' }), script: 'pwd', prints: '/tmp' },
  'process without args is refused': lacks('args'),
  'empty args are refused': { edit: process_({ args: [] }), ...invalid },
  'args keep their order and their empty strings': {
    args: ['sh', '-c', 'for word; do echo "<$word>"; done', '$0', 'a b', '', '*'],
    prints: '<a b>\n<>\n<*>',
  },
  'the program is looked up in the PATH of env, as execvp(3) does': {
    edit: process_({ env: ['PATH=/no/such:/bin'] }),
    args: ['id', '-u'],
    prints: '0',
  },
  'a program with a slash is not looked up': { args: ['/bin/echo', 'found'], prints: 'found' },
  'a program that is missing is an error of start or of create': {
    args: ['/no/such/program'],
    refused: 'ERR_EXEC_NOT_FOUND',
  },
  'the environment is that of env': {
    edit: process_({ env: ['PATH=/bin', 'B=2', 'A=1=1', 'EMPTY=', 'HOME=/somewhere'] }),
    args: ['env'],
    prints: 'PATH=/bin\nB=2\nA=1=1\nEMPTY=\nHOME=/somewhere',
  },
  'consoleSize is ignored without a terminal': {
    edit: process_({ terminal: false, consoleSize: { height: 10, width: 20 } }),
    script: 'tty || true',
    prints: 'not a tty',
  },
  'consoleSize is the size of the terminal': {
    edit: process_({ terminal: true, consoleSize: { height: 10, width: 20 } }),
    args: ['stty', 'size'],
    check: async (t, container) => {
      let said = ''
      container.console!.on('data', (chunk: Buffer) => (said += chunk.toString()))
      await container.start()
      await container.wait()
      await until(() => said.trim() === '10 20', 'stty has told the size')
      t.pass()
    },
  },
  'only the three standard descriptors are open': {
    // The shell opens the directory itself.
    script: 'ls /proc/self/fd | head -n 3; ls /proc/self/fd | wc -l',
    prints: '0\n1\n2\n4',
  },

  // rlimits
  ...Object.fromEntries(
    LIMITS.map(([type, line, soft, hard]) => [
      `limit ${type}`,
      {
        edit: rlimits({ type, soft, hard }),
        script: `while read -r line; do case $line in "${line}"*) echo "$line";; esac; done < /proc/self/limits`,
        prints: new RegExp(`^${line} +${soft} +${hard}( |$)`),
      },
    ]),
  ),
  'an unknown rlimit is refused': { edit: rlimits({ type: 'RLIMIT_TEST', soft: 1, hard: 1 }), ...invalid },
  'a duplicate rlimit is refused': { edit: rlimits(nofile, { ...nofile, soft: 10 }), ...invalid },
  'an rlimit without type is refused': { edit: rlimits({ soft: 1, hard: 1 }), ...invalid },
  'an rlimit without soft is refused': { edit: rlimits({ type: 'RLIMIT_NOFILE', hard: 1 }), ...invalid },
  'an rlimit without hard is refused': { edit: rlimits({ type: 'RLIMIT_NOFILE', soft: 1 }), ...invalid },
  'an rlimit that the kernel refuses is an error': {
    edit: rlimits({ type: 'RLIMIT_NOFILE', soft: 200, hard: 100 }),
    ...invalid,
  },

  // capabilities
  'the five sets of capabilities are those of the configuration': {
    edit: process_({
      capabilities: {
        bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_SETUID'],
        permitted: ['CAP_CHOWN', 'CAP_KILL'],
        effective: ['CAP_CHOWN'],
        inheritable: ['CAP_KILL'],
        ambient: ['CAP_KILL'],
      },
    }),
    script:
      'while read -r key value; do case $key in Cap*) echo "$key $value";; esac; done < /proc/self/status',
    // execve(2) of root gives it what bounding and permitted set have in common, since new privileges are denied.
    prints: [
      'CapInh: 0000000000000020',
      'CapPrm: 0000000000000021',
      'CapEff: 0000000000000021',
      'CapBnd: 00000000000000a1',
      'CapAmb: 0000000000000020',
    ].join('\n'),
  },
  'an unknown capability is a warning': {
    edit: process_({ capabilities: { bounding: ['CAP_NO_SUCH', 'CAP_KILL'] } }),
    script: 'echo ran',
    prints: 'ran',
    warns: /CAP_NO_SUCH/,
  },
  'noNewPrivileges is set': {
    edit: process_({ noNewPrivileges: true }),
    script:
      'while read -r key value; do [ $key = NoNewPrivs: ] && echo $value; done < /proc/self/status; true',
    prints: '1',
  },

  // oomScoreAdj
  'oomScoreAdj is set': {
    edit: process_({ oomScoreAdj: 777 }),
    args: ['cat', '/proc/self/oom_score_adj'],
    prints: '777',
  },
  'without oomScoreAdj the value is that of the runtime': {
    edit: (spec) => void delete spec.process!.oomScoreAdj,
    args: ['cat', '/proc/self/oom_score_adj'],
    prints: readFileSync('/proc/self/oom_score_adj', 'utf8').trim(),
  },

  // user
  'uid and gid are those of the container': {
    edit: isRoot ? user({ uid: 1234, gid: 5678 }) : () => {},
    script: 'id -u; id -g',
    prints: isRoot ? '1234\n5678' : '0\n0',
  },
  'additionalGids are the further groups': {
    edit: user({ uid: 1, gid: 2, additionalGids: [3, 4] }),
    script: 'id -G',
    prints: '2 3 4',
    needs: ['root'],
  },
  'umask is that of the configuration': { edit: user({ umask: 0o27 }), script: 'umask', prints: '0027' },
  // COMPAT(runc, crun): required, yet both read an absent id as 0.
  'a user without ids is root': { edit: process_({ user: {} }), script: 'id -u; id -g', prints: '0\n0' },
  'process without a user is of root': {
    edit: (spec) => void delete spec.process!.user,
    script: 'id -u; id -g',
    prints: '0\n0',
  },
  'an id that the user namespace lacks is refused': {
    edit: (spec) => {
      user({ uid: 7, gid: 0 })(spec)
      if (!spec.linux!.namespaces!.some(({ type }) => type === 'user'))
        spec.linux!.namespaces!.push({ type: 'user' })
      Object.assign(spec.linux!, {
        uidMappings: [{ containerID: 0, hostID: process.geteuid!(), size: 1 }],
        gidMappings: [{ containerID: 0, hostID: process.getegid!(), size: 1 }],
      })
    },
    ...invalid,
  },
})
