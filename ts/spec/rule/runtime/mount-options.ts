/** The known mount options: config.md, "Linux mount options", and data for file systems. */
import { MOUNT_OPTIONS } from '../../runtime/names.ts'

const KNOWN: ReadonlySet<string> = new Set(MOUNT_OPTIONS)

/** Data options of the file systems that containers usually have; for all others every option counts as known. */
const DATA = new Map<string, readonly string[]>(
  Object.entries({
    tmpfs: `size nr_blocks nr_inodes mode uid gid huge mpol inode32 inode64 noswap context fscontext defcontext
      rootcontext quota usrquota grpquota casefold strict_encoding`,
    ramfs: 'mode',
    devpts: 'uid gid mode ptmxmode newinstance max context',
    proc: 'hidepid gid subset pidns',
    sysfs: '',
    mqueue: 'uid gid',
    cgroup2:
      'nsdelegate favordynmods memory_localevents memory_recursiveprot memory_hugetlb_accounting pids_localevents',
  }).map(([fileSystem, names]) => [fileSystem, names.split(/\s+/)]),
)

export function isBind(options: readonly (string | undefined)[]): boolean {
  return options.includes('bind') || options.includes('rbind')
}

export function isIdMapOption(option: string): boolean {
  return ['idmap', 'ridmap'].some((name) => option === name || option.startsWith(`${name}=`))
}

/** Whether the option is passed to the file system. */
export function isData(option: string): boolean {
  return option !== '' && !KNOWN.has(option) && !isIdMapOption(option)
}

/** Whether a file system with known options does not have this one. */
export function isUnknownData(option: string, fileSystem: string): boolean {
  const [name = ''] = option.split('=')
  return DATA.get(fileSystem)?.includes(name) === false
}
