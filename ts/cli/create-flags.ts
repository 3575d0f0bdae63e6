/** Flags that `create` and `run` share. */
import type { Flag } from './flags.ts'

export const createFlags: readonly Flag[] = [
  {
    name: 'bundle',
    aliases: ['b'],
    type: 'text',
    usage: 'path to the root of the bundle directory, defaults to the current directory',
  },
  {
    name: 'config',
    aliases: ['f'],
    type: 'text',
    usage: 'configuration in place of config.json of the bundle',
  },
  {
    name: 'console-socket',
    type: 'text',
    usage: 'path to an AF_UNIX socket which will receive the master end of the console',
  },
  {
    name: 'pidfd-socket',
    type: 'text',
    usage: 'not supported yet',
    hidden: true,
    unsupported: 'its work comes later',
  },
  { name: 'pid-file', type: 'text', usage: 'specify the file to write the process id to' },
  {
    name: 'no-pivot',
    type: 'switch',
    usage: 'do not use pivot root to jail process inside rootfs; for a rootfs on a ramdisk',
  },
  { name: 'no-new-keyring', type: 'switch', usage: 'do not create a new session keyring for the container' },
  {
    name: 'preserve-fds',
    type: 'number',
    usage: 'pass N additional file descriptors to the container (stdio + N in total)',
    default: 0,
  },
  // The command is never a subreaper, which is what this asks for.
  { name: 'no-subreaper', type: 'switch', usage: 'disable the use of the subreaper', hidden: true },
]
