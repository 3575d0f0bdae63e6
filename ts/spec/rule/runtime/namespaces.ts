/** `linux.namespaces`, and the properties that need a new namespace. */
import { each, type Report } from '../report.ts'
import { isLinux, namespace, type Config } from './platform.ts'

/** Limit of the kernel for each name in bytes (uname(2)). */
const LONGEST_NAME = 64

export function namespaces(config: Config, report: Report): void {
  if (!isLinux(config)) return
  const seen = new Set<string>()
  for (const [index, { type, path }] of each(config.linux?.namespaces)) {
    const at = `linux.namespaces[${index}]`
    if (type && seen.has(type))
      report.error(at, `a second ${JSON.stringify(type)} namespace`, { found: type })
    if (type) seen.add(type)
    if (path && !path.startsWith('/')) report.wrong(`${at}.path`, path, 'an absolute path')
    if (path === '') report.strictly(`${at}.path`, path, 'an absolute path, or left out')
  }
  if (!seen.has('mount') && !report.isBroken('linux.namespaces')) withoutMountNamespace(config, report)
  for (const name of ['hostname', 'domainname'] as const) {
    const value = config[name]
    if (!value) continue
    if (!namespace(config, 'uts') && !report.isBroken('linux.namespaces')) {
      // COMPAT(runc): its wording for the same error.
      report.error(name, `unable to set ${name} without a private UTS namespace`, { found: value })
    }
    if (Buffer.byteLength(value) > LONGEST_NAME) {
      report.wrong(name, value, `at most ${LONGEST_NAME} bytes`)
    }
  }
}

/** In the caller's mount namespace the root is changed to by chroot(2) only, and what is mounted is mounted there. */
function withoutMountNamespace(config: Config, report: Report): void {
  const { root, mounts, linux } = config
  for (const name of ['maskedPaths', 'readonlyPaths'] as const) {
    if (linux?.[name]?.length) {
      // COMPAT(runc): its sentence.
      report.runnable(`linux.${name}`, 'unable to restrict sys entries without a private MNT namespace')
    }
  }
  const changes = 'needs a "mount" namespace: it would change the mounts of the host'
  if (root?.readonly) report.runnable('root.readonly', changes)
  if (linux?.rootfsPropagation) report.runnable('linux.rootfsPropagation', changes)
  if (!namespace(config, 'user')) return
  const denied = 'needs a "mount" namespace: a user namespace may mount nothing in the caller\'s'
  if (mounts?.length) report.runnable('mounts', denied)
  if (linux?.devices?.length) report.runnable('linux.devices', denied)
}
