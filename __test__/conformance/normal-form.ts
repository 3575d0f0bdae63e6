/** Makes the output of two runtimes comparable: numbers that differ from run to run become names. */
import { readlinkSync } from 'node:fs'
import type { Sections } from './probe.ts'

const sorted = (text: string): string => text.split(',').sort().join(',')

/** mountinfo (proc_pid_mountinfo(5)) by mount point: root, options, propagation, type, options of the file system. */
function mount(line: string, id: string): string[] {
  const [before = '', after = ''] = line.split(' - ')
  const [, , , root = '', point = '', options = '', ...optional] = before.split(' ')
  const [type = '', , own = ''] = after.split(' ')
  const propagation = optional.map((field) => field.replace(/:\d+/, '')).sort()
  // Of the host's own file systems only the flags of the mount are the runtime's doing.
  const hostFileSystem = !['tmpfs', 'devpts', 'proc', 'sysfs', 'mqueue', 'cgroup', 'cgroup2'].includes(type)
  // A sysfs is one file system for its network namespace: the first mount makes it read-only or not.
  const flags = type === 'sysfs' ? own.replace(/^r[ow](?=,|$)/, '') : own
  const cleaned = sorted(
    flags.replace(/(^|,)(inode64|seclabel|noswap|nr_inodes=1|size=4k)(?=,|$)/g, '').replace(/^,/, ''),
  )
  // Ours is one level below the limits (docs/internal/cgroup.md).
  const cgroup = root
    .replace(/\/container$/, '')
    .replaceAll(id, 'ID')
    .replace(/^.*\//, '/')
  const place = type.startsWith('cgroup') ? cgroup : ''
  return [`${point} ${sorted(options)} [${propagation}] ${type} ${place} ${hostFileSystem ? '' : cleaned}`]
}

const hostNamespace = (name: string): string => readlinkSync(`/proc/self/ns/${name}`)

export interface Known {
  /** The container's id, which shows in cgroup paths. */
  id: string
  /** The link texts of the namespaces that may be joined. */
  joined: string[]
}

/** In place: returns the same sections. */
export function normalForm(found: Sections, { id, joined }: Known): Sections {
  const each = (name: string, change: (line: string) => string[]): void => {
    found[name] = (found[name] ?? []).flatMap(change)
  }
  each('mounts', (line) => mount(line, id))
  // crun needs a hugetlb hierarchy on hybrid hosts; the test mounts a separate one for it.
  each('mounts', (line) => (line.includes('/sys/fs/cgroup/hugetlb') ? [] : [line]))
  each('pid', (line) => [line === '1' ? '1' : 'another'])
  each('namespaces', (line) => {
    const [name = '', link = ''] = line.split(' ')
    return [`${name} ${joined.includes(link) ? 'joined' : link === hostNamespace(name) ? 'host' : 'own'}`]
  })
  each('limits', (line) => (line.startsWith('Limit') ? [] : [line.trim().replace(/\s+/g, ' ')]))
  return found
}
