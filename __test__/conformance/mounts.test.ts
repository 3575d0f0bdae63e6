/** config.md, "Mounts"; config-linux.md, "Default Filesystems" and "Rootfs Mount Propagation". */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mount, RuntimeSpec } from '../../ts/spec/index.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { requirements, type Requirement } from './requirements.ts'

const folder = scratch('mounts')
mkdirSync(join(folder, 'below'))
writeFileSync(join(folder, 'file'), 'content\n')

const mounted = (...mounts: Mount[]) => ({ edit: (spec: RuntimeSpec) => void spec.mounts!.push(...mounts) })
const tmpfs = (options: string[], destination = '/tmp'): Mount => ({
  destination,
  type: 'tmpfs',
  source: 'tmpfs',
  options,
})
const bind = (options: string[]): Mount => ({ destination: '/tmp', source: folder, options })

/** Options of the mount, and of its file system, as mountinfo lists them. */
const INFO = `while read -r a b c d point options rest; do
  [ "$point" = /tmp ] && echo "$options \${rest#*- }"
done < /proc/self/mountinfo`
/** Optional fields: the propagation. */
const PROPAGATION = `while read -r a b c d point options field rest; do
  [ "$point" = /tmp ] && case $field in -) echo private;; *) echo "\${field%%:*}";; esac
done < /proc/self/mountinfo`

/** A tmpfs with one option shows or lacks a word. */
const shows = (option: string | string[], pattern: RegExp): Requirement => ({
  ...mounted(tmpfs([option].flat())),
  script: INFO,
  prints: pattern,
})
const propagates = (option: string, propagation: string): Requirement => ({
  ...mounted(bind([option.startsWith('r') ? 'rbind' : 'bind', option])),
  script: PROPAGATION,
  prints: propagation,
})
const bound = (...options: string[]): Requirement => ({
  ...mounted(bind(options)),
  args: ['cat', '/tmp/file'],
  prints: 'content',
})

requirements({
  'mounts are made in the listed order': {
    ...mounted(tmpfs(['size=1m']), tmpfs(['mode=700'], '/tmp/inner'), tmpfs(['size=4k', 'ro'], '/tmp')),
    script: `${INFO}; ls /tmp | wc -l`,
    prints: /size=1024k.*\nro,.*size=4k.*\n0$/,
  },
  'a relative destination is relative to the root': {
    ...mounted(tmpfs(['size=4k'], 'tmp')),
    script: INFO,
    prints: /size=4k/,
  },
  'a mount without a destination is refused': {
    ...mounted({ type: 'tmpfs', source: 'tmpfs' } as never),
    refused: 'ERR_INVALID_SPEC',
  },
  'a missing destination is made': {
    ...mounted(tmpfs(['size=4k'], '/tmp/a/b')),
    edit: (spec) => void spec.mounts!.push(tmpfs([]), tmpfs(['size=4k'], '/tmp/a/b')),
    args: ['ls', '/tmp/a'],
    prints: 'b',
  },

  // Each option that a runtime has to have, shown by mountinfo where it shows.
  'option async': shows(['sync', 'async'], /^rw,relatime tmpfs tmpfs rw(?!.*sync)/),
  'option atime': shows(['noatime', 'atime'], /^rw,relatime /),
  'option defaults': shows('defaults', /^rw,relatime /),
  'option dev': shows(['nodev', 'dev'], /^rw,relatime /),
  'option diratime': shows(['nodiratime', 'diratime'], /^rw,relatime /),
  'option dirsync': shows('dirsync', /dirsync/),
  'option exec': shows(['noexec', 'exec'], /^rw,relatime /),
  'option iversion': shows('iversion', /^rw,/),
  'option lazytime': shows('lazytime', /lazytime/),
  'option loud': shows(['silent', 'loud'], /^rw,/),
  'option noatime': shows('noatime', /^rw,noatime /),
  'option nodev': shows('nodev', /^rw,nodev,/),
  'option nodiratime': shows('nodiratime', /^rw,relatime,nodiratime |^rw,nodiratime,relatime /),
  'option noexec': shows('noexec', /^rw,noexec,/),
  'option noiversion': shows(['iversion', 'noiversion'], /^rw,/),
  'option nolazytime': shows(['lazytime', 'nolazytime'], /^rw,relatime tmpfs tmpfs (?!.*lazytime)/),
  'option norelatime': shows(['relatime', 'norelatime'], /^rw/),
  'option nostrictatime': shows(['strictatime', 'nostrictatime'], /^rw/),
  'option nosuid': shows('nosuid', /^rw,nosuid,/),
  'option relatime': shows('relatime', /^rw,relatime /),
  'option ro': shows('ro', /^ro,/),
  'option rw': shows(['ro', 'rw'], /^rw,/),
  'option silent': shows('silent', /^rw,/),
  'option strictatime': shows('strictatime', /^rw tmpfs/),
  'option suid': shows(['nosuid', 'suid'], /^rw,relatime /),
  'option sync': shows('sync', /sync/),
  'option remount': {
    ...mounted(tmpfs(['size=1m']), tmpfs(['remount', 'size=2m', 'ro'])),
    script: INFO,
    prints: /^ro,.*size=2048k[^\n]*$/,
  },
  'option bind': bound('bind'),
  'option rbind': bound('rbind'),
  'option private': propagates('private', 'private'),
  'option rprivate': propagates('rprivate', 'private'),
  'option shared': propagates('shared', 'shared'),
  'option rshared': propagates('rshared', 'shared'),
  'option slave': propagates('slave', 'private'),
  'option rslave': propagates('rslave', 'private'),
  'option unbindable': propagates('unbindable', 'unbindable'),
  'option runbindable': propagates('runbindable', 'unbindable'),
  'an option of a bind mount applies to it': {
    ...mounted(bind(['bind', 'ro', 'nosuid', 'nodev', 'noexec'])),
    script: `${INFO}; touch /tmp/file 2>/dev/null || echo refused`,
    prints: /^ro,nosuid,nodev,noexec,.*\nrefused$/,
  },
  'a bind mount is one by its options, whatever its type': {
    ...mounted({ destination: '/tmp', type: 'tmpfs', source: folder, options: ['rbind'] }),
    args: ['cat', '/tmp/file'],
    prints: 'content',
  },
  'an option that is not known goes to the file system': {
    ...mounted(tmpfs(['size=64k', 'mode=710', 'nr_inodes=9'])),
    script: INFO,
    prints: /size=64k,nr_inodes=9,mode=710/,
  },
  'an option that the file system refuses is an error': {
    ...mounted(tmpfs(['no_such_option'])),
    refused: 'ERR_SYSCALL',
  },

  'mappings of a mount have to be given both': {
    ...mounted({ ...bind(['bind']), uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }] }),
    refused: 'ERR_INVALID_SPEC',
  },
  'idmap without mappings and without a user namespace is an error': {
    ...mounted(bind(['bind', 'idmap'])),
    refused: /^ERR_/,
  },

  // Default file systems
  'the default file systems are there': {
    script: 'for path in /proc/self /sys/kernel /dev/pts /dev/shm; do [ -d "$path" ] && echo "$path"; done',
    prints: '/proc/self\n/sys/kernel\n/dev/pts\n/dev/shm',
  },
})
