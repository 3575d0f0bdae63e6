/** The root, its hidden paths, and settings of the kernel. */
import { all, edit, linux, mounts, tmpfs, top, type Table } from './edit.ts'

export const roots: Table = {
  'a writable root': edit((spec) => void (spec.root!.readonly = false)),
  'a root with dots in its path': edit((spec) => void (spec.root!.path = './rootfs/../rootfs/')),
  'a root that is missing': top({ root: { path: 'missing' } }),
  'a root that is a file': top({ root: { path: 'config.json' } }),
  'no masked paths': linux({ maskedPaths: [] }),
  'no read-only paths': linux({ readonlyPaths: [] }),
  'a masked file and a masked directory': {
    ...linux({ maskedPaths: ['/etc/passwd', '/tmp', '/missing'] }),
    places: ['/etc/passwd', '/tmp'],
  },
  'a masked path twice': { ...linux({ maskedPaths: ['/etc', '/etc/'] }), places: ['/etc'] },
  'a masked path within a masked path': {
    ...linux({ maskedPaths: ['/etc', '/etc/passwd'] }),
    places: ['/etc'],
  },
  'a masked device': { ...linux({ maskedPaths: ['/dev/zero'] }), places: ['/dev/zero'] },
  'a masked mount': {
    ...all(mounts(tmpfs(['size=1m'])), linux({ maskedPaths: ['/tmp'] })),
    places: ['/tmp'],
  },
  'a read-only path below /proc': linux({ readonlyPaths: ['/proc/sys/kernel', '/proc/missing'] }),
  'a read-only file': { ...linux({ readonlyPaths: ['/etc/passwd'] }), places: ['/etc/passwd'] },
  'a read-only mount': {
    ...all(mounts(tmpfs(['nosuid', 'size=1m'])), linux({ readonlyPaths: ['/tmp'] })),
    places: ['/tmp'],
  },
  'a read-only device directory': linux({ readonlyPaths: ['/dev'] }),
  'a private root': linux({ rootfsPropagation: 'private' }),
  'a slave root': linux({ rootfsPropagation: 'slave' }),
  'a shared root': linux({ rootfsPropagation: 'shared' }),
  'a root that cannot be bound': linux({ rootfsPropagation: 'unbindable' }),
  // sysctl
  'sysctl of ipc': linux({ sysctl: { 'kernel.msgmax': '12345', 'kernel.sem': '250 32000 100 200' } }),
  'sysctl of the network': linux({
    sysctl: { 'net.ipv4.ip_unprivileged_port_start': '80', 'net.ipv4.ping_group_range': '0 10' },
  }),
  'sysctl of message queues': linux({ sysctl: { 'fs.mqueue.msg_max': '5' } }),
  'sysctl of shared memory': linux({ sysctl: { 'kernel.shm_rmid_forced': '1', 'kernel.shmmax': '1000000' } }),
  'sysctl that is missing': linux({ sysctl: { 'net.no.such': '1' } }),
  'sysctl with a value that the kernel refuses': linux({ sysctl: { 'kernel.msgmax': 'many' } }),
  'sysctl of the host': edit((spec) => {
    spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'ipc')
    spec.linux!.sysctl = { 'kernel.msgmax': '12345' }
  }),
  'sysctl of every namespace': linux({ sysctl: { 'kernel.panic': '1' } }),
  'a personality of 32 bits': linux({ personality: { domain: 'LINUX32' } }),
  'the usual personality': linux({ personality: { domain: 'LINUX' } }),
  // versions
  'a version before 1.0.2': top({ ociVersion: '1.0.0' }),
  annotations: top({ annotations: { 'com.example.key': 'value' } }),
  'unknown properties': top({ 'x-unknown': { a: [1] } }),
}
