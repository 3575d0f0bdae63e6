/** Mounts of every kind. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { all, bound, differing, edit, mounts, tmpfs, type Table } from './edit.ts'

const file = (path: string): void => writeFileSync(path, 'content\n')
const sysfs = (options: string[]) =>
  edit((spec) => void (spec.mounts!.find(({ destination }) => destination === '/sys')!.options = options))
/** A mount of an attribute over a bind. */
const attribute = (...options: string[]) => bound(['rbind', ...options])

export const mountTable: Table = {
  'a tmpfs with size and mode': mounts(tmpfs(['nosuid', 'nodev', 'size=1m', 'mode=1770', 'uid=5', 'gid=6'])),
  'a tmpfs without options': mounts({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' }),
  'a tmpfs with the default options': mounts(tmpfs(['defaults'])),
  'a read-only tmpfs': mounts(tmpfs(['ro', 'noexec'])),
  'a tmpfs with inodes': mounts(tmpfs(['nr_inodes=100', 'size=1m'])),
  'a tmpfs at a path that is missing': mounts(tmpfs(['mode=711'], '/tmp/made/for/it')),
  'a tmpfs with the content of its place': differing(
    { 'mounts /etc': 'newer versions of runc give a tmpfs the mode of its place' },
    mounts(tmpfs(['tmpcopyup'], '/etc')),
  ),
  'two mounts on one place': mounts(tmpfs(['size=1m']), tmpfs(['size=2m', 'ro'])),
  'a mount within a mount': mounts(tmpfs(['mode=755']), tmpfs(['mode=700'], '/tmp/deep/er')),
  'a mount within a read-only mount': mounts(tmpfs(['mode=755', 'ro']), tmpfs(['mode=700'], '/tmp/deep')),
  'a later option wins': mounts(tmpfs(['ro', 'noexec', 'rw', 'exec'])),
  'access times': mounts(tmpfs(['noatime', 'nodiratime'])),
  'relative access times': mounts(tmpfs(['relatime'])),
  'strict access times': mounts(tmpfs(['strictatime', 'sync'])),
  'no relative access times': mounts(tmpfs(['norelatime'])),
  'no strict access times': mounts(tmpfs(['nostrictatime'])),
  'synchronous directories': mounts(tmpfs(['dirsync'])),
  'a private tmpfs': mounts(tmpfs(['private'])),
  'a shared tmpfs': mounts(tmpfs(['rshared'])),
  'a tmpfs that cannot be bound': mounts(tmpfs(['unbindable'])),
  'a bind': bound(['bind']),
  'a recursive bind': bound(['rbind']),
  'a read-only bind': bound(['bind', 'ro']),
  'a bind with every restriction': bound(['rbind', 'ro', 'nosuid', 'nodev', 'noexec', 'noatime']),
  'a bind that clears restrictions': bound(['bind', 'rw', 'suid', 'dev', 'exec']),
  'a bind of a file': bound(['bind'], file),
  'a read-only bind of a file': bound(['bind', 'ro'], file),
  'a bind over passwd': bound(
    ['bind'],
    (path) => writeFileSync(path, 'root:x:0:0::/elsewhere:/bin/sh\n'),
    '/etc/passwd',
  ),
  'a bind at a path with dots': bound(['bind'], undefined, '/./data/./'),
  'a bind at a relative path': bound(['bind'], undefined, 'data'),
  'a bind of a link to a directory': bound(['bind'], (path) => {
    mkdirSync(`${path}-target`)
    symlinkSync(`${path}-target`, path)
  }),
  'a bind through a link of the root': {
    edit: (spec, { bundle }) => {
      mkdirSync(join(bundle, 'rootfs/real'))
      symlinkSync('/real', join(bundle, 'rootfs/link'))
      mkdirSync(join(bundle, 'source'))
      spec.mounts!.push({ destination: '/link/below', source: join(bundle, 'source'), options: ['bind'] })
    },
    places: ['/real/below', '/link'],
  },
  'a bind through a link that leads out of the root': {
    edit: (spec, { bundle }) => {
      symlinkSync('../../../../etc', join(bundle, 'rootfs/out'))
      mkdirSync(join(bundle, 'source'))
      spec.mounts!.push({ destination: '/out/made', source: join(bundle, 'source'), options: ['bind'] })
    },
    places: ['/etc/made'],
  },
  'a bind of the null device': mounts({ destination: '/tmp/null', source: '/dev/null', options: ['bind'] }),
  'a bind of /dev': mounts({ destination: '/dev/shm', source: '/dev/shm', options: ['rbind', 'ro'] }),
  'a private bind': bound(['bind', 'private']),
  'a slave bind': bound(['rbind', 'rslave']),
  'a shared bind': bound(['rbind', 'rshared']),
  'a bind that cannot be bound': bound(['rbind', 'runbindable']),
  'recursively read-only': attribute('rro'),
  'recursively without set-user-ID': attribute('rnosuid', 'rnodev', 'rnoexec'),
  'recursively without access times': attribute('rnoatime', 'rnodiratime'),
  'recursively with restrictions cleared': attribute('ro', 'rrw'),
  'a relative source': {
    edit: (spec, { bundle }) => {
      mkdirSync(join(bundle, 'relative'))
      spec.mounts!.push({ destination: '/data', source: 'relative', options: ['bind'] })
    },
    places: ['/data'],
  },
  'a writable cgroup mount': edit((spec) => {
    const mount = spec.mounts!.find(({ type }) => type === 'cgroup')!
    mount.options = mount.options!.filter((option) => option !== 'ro')
  }),
  'a writable sysfs': sysfs(['nosuid', 'noexec', 'nodev']),
  'a sysfs without options': sysfs([]),
  'a second proc': mounts({ destination: '/tmp', type: 'proc', source: 'proc', options: ['nosuid', 'ro'] }),
  'a second devpts': mounts({
    destination: '/tmp',
    type: 'devpts',
    source: 'devpts',
    options: ['newinstance', 'ptmxmode=0600', 'mode=0600'],
  }),
  'a second sysfs': mounts({ destination: '/tmp', type: 'sysfs', source: 'sysfs', options: ['ro'] }),
  'an overlay': {
    edit: (spec, { bundle }) => {
      for (const name of ['lower', 'lower2']) mkdirSync(join(bundle, name))
      writeFileSync(join(bundle, 'lower/file'), 'of lower\n')
      const lower = `lowerdir=${join(bundle, 'lower')}:${join(bundle, 'lower2')}`
      spec.mounts!.push({ destination: '/tmp', type: 'overlay', source: 'overlay', options: [lower] })
    },
    places: ['/tmp/file'],
  },
  'no mounts beyond proc': edit(
    (spec) =>
      void (spec.mounts = spec.mounts!.filter(({ destination }) => ['/proc', '/dev'].includes(destination))),
  ),
  'no mounts at all': all(
    edit((spec) => void (spec.mounts = [])),
    {
      edit: (spec) => Object.assign(spec.linux!, { maskedPaths: [], readonlyPaths: [] }),
      args: ['ls', '/dev'],
    },
  ),
  'a mount of unknown type': mounts({ destination: '/tmp', type: 'nosuchfs', source: 'none' }),
  'an option that the file system does not know': mounts(tmpfs(['nosuchoption'])),
  'a missing source of a bind': mounts({ destination: '/tmp', source: '/no/such/source', options: ['bind'] }),
  'a directory over a file': bound(['bind'], undefined, '/etc/passwd'),
  'a bind in /proc': bound(['bind'], file, '/proc/version'),
  'a bind over /proc/uptime': bound(['bind'], file, '/proc/uptime'),
}
