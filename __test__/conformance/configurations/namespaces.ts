/** Namespaces made, joined and left out. */
import {
  all,
  differing,
  edit,
  joining,
  linux,
  process,
  top,
  user,
  userNamespace,
  without,
  type Table,
} from './edit.ts'

const FIRST: [number, number, number] = [0, 0, 100_000]

export const namespaces: Table = {
  'the host network': without('network'),
  'the host ipc': without('ipc'),
  'the host uts': without('uts'),
  'the host pids': without('pid'),
  'the host cgroups': without('cgroup'),
  'the host network, ipc and uts': without('network', 'ipc', 'uts'),
  'a mount namespace alone': without('network', 'ipc', 'uts', 'pid', 'cgroup'),
  'a joined network': joining('network'),
  'a joined ipc': joining('ipc'),
  'a joined uts': joining('uts'),
  'joined pids': joining('pid'),
  'a pod: network, ipc and uts joined': joining('network', 'ipc', 'uts'),
  'a pod with its pids': joining('network', 'ipc', 'uts', 'pid'),
  'a user namespace with ranges': userNamespace(FIRST),
  'a user namespace with several ranges': userNamespace(
    [0, 0, 1000],
    [1000, 50_000, 1000],
    [2000, 1000, 1000],
  ),
  'an ordinary user of a user namespace': all(userNamespace(FIRST), user({ uid: 1000, gid: 1000 })),
  'a user namespace with additional groups': all(userNamespace(FIRST), user({ additionalGids: [4, 5] })),
  'a user namespace with the host cgroups': all(userNamespace(FIRST), without('cgroup')),
  'a user namespace with the host pids': all(userNamespace(FIRST), without('pid')),
  'capabilities in a user namespace': all(
    userNamespace(FIRST),
    process({ capabilities: { bounding: ['CAP_SYS_ADMIN', 'CAP_CHOWN'], permitted: ['CAP_SYS_ADMIN'] } }),
  ),
  'a host name in a user namespace': all(userNamespace(FIRST), top({ hostname: 'inside' })),
  'sysctl in a user namespace': all(userNamespace(FIRST), linux({ sysctl: { 'kernel.msgmax': '4321' } })),
  'a domain name': top({ domainname: 'example.test' }),
  'a long host name': top({ hostname: 'h'.repeat(63) }),
  'a host name that is too long': top({ hostname: 'h'.repeat(65) }),
  'no host name': edit((spec) => void delete spec.hostname),
  'a host name without a uts namespace': edit(
    (spec) => void (spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'uts')),
  ),
  'a namespace twice': edit((spec) => void spec.linux!.namespaces!.push({ type: 'ipc' })),
  'a namespace of unknown type': edit(
    (spec) => void spec.linux!.namespaces!.push({ type: 'quota' as never }),
  ),
  'a path of another type': edit(
    (spec, { holder }) =>
      void (spec.linux!.namespaces!.find(({ type }) => type === 'ipc')!.path = holder.path('network')),
  ),
  'a path that is missing': edit(
    (spec) => void (spec.linux!.namespaces!.find(({ type }) => type === 'ipc')!.path = '/no/such/path'),
  ),
  'mappings without a user namespace': differing(
    { end: 'the peers ignore them; runc refuses them in its library' },
    linux({ uidMappings: [{ containerID: 0, hostID: 0, size: 1 }] }),
  ),
  'an id that is not mapped': all(userNamespace([0, 0, 1000]), user({ uid: 2000, gid: 0 })),
}
