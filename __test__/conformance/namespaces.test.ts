/** config-linux.md, "Namespaces", "User namespace mappings" and "Offset for Time Namespace". */
import { readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import { missing } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { Holder } from './holder.ts'
import { isRoot, linux, requirements, type Requirement } from './requirements.ts'

const LINKS = {
  pid: 'pid',
  network: 'net',
  mount: 'mnt',
  ipc: 'ipc',
  uts: 'uts',
  user: 'user',
  cgroup: 'cgroup',
  time: 'time',
}
type Type = keyof typeof LINKS
const own = (type: Type): string => readlinkSync(`/proc/self/ns/${LINKS[type]}`)

const holder = missing('root') ? undefined : await Holder.start()
test.after.always(() => holder?.end())

const without = (type: Type) => (spec: RuntimeSpec) => {
  spec.linux!.namespaces = spec.linux!.namespaces!.filter((namespace) => namespace.type !== type)
  if (type === 'uts') delete spec.hostname
  if (type === 'network') bindSys(spec)
  // Message queues belong to the ipc namespace: with the host's a user namespace cannot mount them.
  if (type === 'ipc') spec.mounts = spec.mounts!.filter((mount) => mount.type !== 'mqueue')
}
/** A new sysfs needs a network namespace of the container's own. */
function bindSys(spec: RuntimeSpec): void {
  const mount = spec.mounts!.find(({ destination }) => destination === '/sys')!
  Object.assign(mount, {
    type: 'none',
    source: '/sys',
    options: ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'],
  })
}
const withNew = (type: Type) => (spec: RuntimeSpec) => {
  without(type)(spec)
  spec.linux!.namespaces!.push({ type })
  if (type === 'user')
    Object.assign(spec.linux!, {
      uidMappings: [{ containerID: 0, hostID: process.geteuid!(), size: 1 }],
      gidMappings: [{ containerID: 0, hostID: process.getegid!(), size: 1 }],
    })
}
const link = (type: Type): Pick<Requirement, 'args'> => ({
  args: ['readlink', `/proc/self/ns/${LINKS[type]}`],
})

const created = (type: Type): Requirement => ({
  edit: withNew(type),
  ...link(type),
  prints: new RegExp(`^(?!${own(type).replace(/[[\]]/g, '\\$&')}$)${LINKS[type]}:\\[\\d+\\]$`),
})
const inherited = (type: Type, needs: Requirement['needs'] = []): Requirement => ({
  edit: without(type),
  ...link(type),
  prints: own(type),
  needs,
})
const path = (type: Type, value: string) => (spec: RuntimeSpec) => {
  without(type)(spec)
  spec.linux!.namespaces!.push({ type, path: value })
  if (type === 'network') bindSys(spec)
}
const joined = (type: 'network' | 'ipc' | 'uts' | 'pid'): Requirement => ({
  edit: path(type, holder?.path(type) ?? ''),
  ...link(type),
  prints: holder ? readlinkSync(holder.path(type)) : '',
  needs: ['root'],
})
const file = join(scratch('namespaces'), 'file')
writeFileSync(file, '')

requirements({
  // A new namespace for each type without a path.
  'a new pid namespace': created('pid'),
  'a new network namespace': created('network'),
  'a new mount namespace': created('mount'),
  'a new ipc namespace': created('ipc'),
  'a new uts namespace': created('uts'),
  'a new user namespace': created('user'),
  'a new cgroup namespace': created('cgroup'),
  'a new time namespace': { ...created('time'), needs: ['root'] },

  // The runtime's for each type that is not listed.
  'the pid namespace of the runtime': inherited('pid', ['root']),
  'the network namespace of the runtime': inherited('network'),
  'the ipc namespace of the runtime': inherited('ipc'),
  'the mount namespace of the runtime': {
    edit: (spec) => {
      without('mount')(spec)
      spec.root!.readonly = false
      Object.assign(spec, { mounts: [] })
      Object.assign(spec.linux!, { maskedPaths: [], readonlyPaths: [] })
    },
    check: async (t, container) => {
      t.is(readlinkSync(`/proc/${container.pid}/ns/mnt`), own('mount'))
    },
    warns: /only chroot/,
    needs: ['root'],
  },
  'the uts namespace of the runtime': inherited('uts'),
  'the user namespace of the runtime': inherited('user', ['root']),
  'the cgroup namespace of the runtime': inherited('cgroup', ['root']),
  'the time namespace of the runtime': inherited('time'),

  // That of a path.
  'the network namespace of a path': joined('network'),
  'the ipc namespace of a path': joined('ipc'),
  'the uts namespace of a path': joined('uts'),
  'the pid namespace of a path': joined('pid'),

  'a path of another type of namespace is refused': {
    edit: path('ipc', '/proc/self/ns/uts'),
    refused: 'ERR_INVALID_SPEC',
  },
  'a path that is not a namespace is refused': { edit: path('ipc', file), refused: 'ERR_INVALID_SPEC' },
  'a path that is not there is refused': { edit: path('ipc', '/no/such/namespace'), refused: /^ERR_/ },
  'a relative path is refused': { edit: path('ipc', 'proc/self/ns/ipc'), refused: 'ERR_INVALID_SPEC' },
  'a duplicate namespace is refused': {
    edit: (spec) => void spec.linux!.namespaces!.push({ type: 'ipc' }),
    refused: 'ERR_INVALID_SPEC',
  },
  'a namespace without a type is refused': {
    edit: (spec) => void spec.linux!.namespaces!.push({} as never),
    refused: 'ERR_INVALID_SPEC',
  },
  'a namespace of unknown type is refused': {
    edit: (spec) => void spec.linux!.namespaces!.push({ type: 'quota' as never }),
    refused: 'ERR_INVALID_SPEC',
  },

  // Mappings
  'ids are mapped as the mappings say': {
    edit: (spec) => {
      withNew('user')(spec)
      if (isRoot)
        linux({
          uidMappings: [
            { containerID: 0, hostID: 1000, size: 10 },
            { containerID: 10, hostID: 0, size: 5 },
          ],
          gidMappings: [{ containerID: 0, hostID: 2000, size: 20 }],
        })(spec)
    },
    script:
      'while read -r inside outside size; do echo "$inside $outside $size"; done < /proc/self/uid_map; while read -r inside outside size; do echo "$inside $outside $size"; done < /proc/self/gid_map',
    prints: isRoot ? '0 1000 10\n10 0 5\n0 2000 20' : `0 ${process.geteuid!()} 1\n0 ${process.getegid!()} 1`,
  },
  ...Object.fromEntries(
    ['containerID', 'hostID', 'size'].map((member) => [
      `a mapping without ${member} is refused`,
      {
        edit: (spec: RuntimeSpec) => {
          withNew('user')(spec)
          delete (spec.linux!.uidMappings![0] as object as Record<string, unknown>)[member]
        },
        refused: 'ERR_INVALID_SPEC',
      },
    ]),
  ),

  // Time
  'the offsets of a time namespace': {
    edit: (spec) => {
      withNew('time')(spec)
      spec.linux!.timeOffsets = { monotonic: { secs: 1000 }, boottime: { secs: 2000, nanosecs: 5 } }
    },
    // The file is about the namespace of children, the links tell whether that is the program's own.
    script: `while read -r clock secs nanosecs; do echo "$clock $secs $nanosecs"; done < /proc/self/timens_offsets
      time=/proc/$$/ns/time
      [ "$(readlink $time)" = "$(readlink \${time}_for_children)" ] && echo entered`,
    prints: 'monotonic 1000 0\nboottime 2000 5\nentered',
    needs: ['root'],
  },
})
