/** config-linux.md, "Masked Paths", "Readonly Paths", "Sysctl", "Personality" and "Rootfs Mount Propagation". */
import { linux, requirements, type Requirement } from './requirements.ts'

const invalid = { refused: 'ERR_INVALID_SPEC' } as const
const propagation = (rootfsPropagation: string, prints: string): Requirement => ({
  edit: linux({ rootfsPropagation }),
  script: `while read -r a b c d point options field rest; do
    [ "$point" = / ] && case $field in -) echo private;; *) echo "\${field%%:*}";; esac
  done < /proc/self/mountinfo`,
  prints,
})

requirements({
  'a masked file is empty': {
    edit: linux({ maskedPaths: ['/etc/passwd'] }),
    args: ['cat', '/etc/passwd'],
    prints: '',
  },
  'a masked directory is empty and cannot be written': {
    edit: linux({ maskedPaths: ['/bin/../etc'] }),
    script: 'ls /etc; touch /etc/file 2>/dev/null || echo refused',
    prints: 'refused',
  },
  'a read-only path cannot be written': {
    edit: (spec) => {
      spec.mounts!.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' })
      linux({ readonlyPaths: ['/tmp', '/no/such/path'] })(spec)
    },
    script: 'touch /tmp/file 2>/dev/null || echo refused',
    prints: 'refused',
  },

  'a sysctl of the container': {
    edit: linux({ sysctl: { 'kernel.msgmax': '12345', 'kernel/shmmni': '777' } }),
    args: ['cat', '/proc/sys/kernel/msgmax', '/proc/sys/kernel/shmmni'],
    prints: '12345\n777',
  },
  'a sysctl of the host is refused': { edit: linux({ sysctl: { 'kernel.panic': '1' } }), ...invalid },

  'the personality LINUX': {
    edit: linux({ personality: { domain: 'LINUX' } }),
    args: ['uname', '-m'],
    prints: process.arch === 'x64' ? 'x86_64' : 'aarch64',
  },
  'the personality LINUX32': {
    edit: linux({ personality: { domain: 'LINUX32' } }),
    args: ['uname', '-m'],
    prints: process.arch === 'x64' ? 'i686' : 'armv8l',
  },
  'a personality without a domain is refused': { edit: linux({ personality: {} }), ...invalid },
  'an unknown personality is refused': { edit: linux({ personality: { domain: 'BSD' } }), ...invalid },

  'the root is shared': propagation('shared', 'shared'),
  'the root is slave': propagation('slave', 'private'),
  'the root is private': propagation('private', 'private'),
  'the root is unbindable': propagation('unbindable', 'unbindable'),
  'an unknown propagation of the root is refused': { edit: linux({ rootfsPropagation: 'rwx' }), ...invalid },
})
