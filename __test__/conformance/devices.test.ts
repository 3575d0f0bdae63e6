/** config-linux.md, "Devices" and "Default Devices"; runtime-linux.md, "Dev symbolic links". */
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import { requirements, type Requirement } from './requirements.ts'

const devices =
  (...all: object[]) =>
  (spec: RuntimeSpec): void =>
    void (spec.linux!.devices = all as never)
const zero = { path: '/dev/mine', type: 'c', major: 1, minor: 5, fileMode: 0o640, uid: 3, gid: 4 }
const invalid = { refused: 'ERR_INVALID_SPEC' } as const
const lacks = (property: string): Requirement => ({
  edit: devices({ ...zero, [property]: undefined }),
  ...invalid,
})
const stat = (path: string): Pick<Requirement, 'args'> => ({
  args: ['stat', '-c', '%F %a %u %g %t:%T', path],
})
const root: Pick<Requirement, 'needs'> = { needs: ['root'] }

const DEFAULT = { null: '1:3', zero: '1:5', full: '1:7', random: '1:8', urandom: '1:9', tty: '5:0' }

requirements({
  'a character device': {
    edit: devices(zero),
    ...stat('/dev/mine'),
    prints: 'character special file 640 3 4 1:5',
    ...root,
  },
  'a device of type u is a character device': {
    edit: devices({ ...zero, type: 'u' }),
    ...stat('/dev/mine'),
    prints: 'character special file 640 3 4 1:5',
    ...root,
  },
  'a block device': {
    edit: devices({ ...zero, type: 'b', major: 7, minor: 200 }),
    ...stat('/dev/mine'),
    prints: 'block special file 640 3 4 7:c8',
    ...root,
  },
  'a FIFO needs no numbers': {
    edit: devices({ path: '/dev/mine', type: 'p', fileMode: 0o600 }),
    ...stat('/dev/mine'),
    prints: 'fifo 600 0 0 0:0',
    ...root,
  },
  'a device outside of /dev': {
    edit: (spec) => {
      spec.mounts!.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] })
      devices({ ...zero, path: '/tmp/deep/mine' })(spec)
    },
    ...stat('/tmp/deep/mine'),
    prints: 'character special file 640 3 4 1:5',
    ...root,
  },
  'another kind of file at the path of a device is an error': {
    edit: devices({ ...zero, path: '/bin/busybox' }),
    refused: /^ERR_/,
    ...root,
  },
  'another device at the path of a device is an error': {
    edit: (spec) => {
      spec.mounts!.push({ destination: '/dev/mine', source: '/dev/null', options: ['bind'] })
      devices(zero)(spec)
    },
    refused: /^ERR_/,
    ...root,
  },
  'a device without type is refused': lacks('type'),
  'a device of unknown type is refused': { edit: devices({ ...zero, type: 'x' }), ...invalid },
  'a device without path is refused': lacks('path'),
  'a device without major is refused': lacks('major'),
  'a device without minor is refused': lacks('minor'),

  ...Object.fromEntries(
    Object.entries(DEFAULT).map(([name, numbers]) => [
      `the default device /dev/${name}`,
      { args: ['stat', '-c', '%F %t:%T', `/dev/${name}`], prints: `character special file ${numbers}` },
    ]),
  ),
  'the default devices can be used': {
    script:
      'head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo gone > /dev/null; cat < /dev/null',
    prints: '3\n3',
  },
  '/dev/ptmx is that of the container': { args: ['readlink', '/dev/ptmx'], prints: 'pts/ptmx' },
  '/dev/console is the terminal': {
    edit: (spec) => void (spec.process!.terminal = true),
    script:
      'while read -r a b c d point rest; do [ "$point" = /dev/console ] && echo "is mounted"; done < /proc/self/mountinfo',
    check: async (t, container) => {
      const { readFileSync } = await import('node:fs')
      t.regex(readFileSync(`/proc/${container.pid}/mountinfo`, 'utf8'), / \/dev\/console .* devpts /)
    },
  },
  'the symbolic links of /dev': {
    script: 'for name in fd stdin stdout stderr; do readlink /dev/$name; done',
    prints: '/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2',
  },
})
