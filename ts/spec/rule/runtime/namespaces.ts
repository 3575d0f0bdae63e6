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
  if (!seen.has('mount') && !report.isBroken('linux.namespaces')) {
    report.runnable(
      'linux.namespaces',
      'a "mount" namespace is needed: without one the mounts of the container would change the host',
    )
  }
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
