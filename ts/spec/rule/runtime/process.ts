/** `process`, except for properties with files of their own. */
import type { Process } from '../../runtime/index.ts'
import { each, type Report, type Sound } from '../report.ts'
import { isMapped, NO_ID } from './mappings.ts'
import { isLinux, makes, type Config } from './platform.ts'

export function process(config: Config, report: Report): void {
  const { process } = config
  if (!process || !isLinux(config)) return
  const { cwd, oomScoreAdj, terminal } = process
  const consoleSize = terminal ? process.consoleSize : undefined
  // COMPAT(runc): its wording.
  if (typeof cwd === 'string' && !cwd.startsWith('/')) {
    report.error('process.cwd', 'Cwd must be an absolute path', { found: cwd, allowed: 'an absolute path' })
  }
  program(process, report)
  if (typeof oomScoreAdj === 'number' && Math.abs(oomScoreAdj) > 1000) {
    report.wrong('process.oomScoreAdj', oomScoreAdj, 'from -1000 to 1000')
  }
  if (consoleSize && [consoleSize.height, consoleSize.width].some((length) => Number(length ?? 0) > 0xffff)) {
    report.runnable('process.consoleSize', 'is beyond 65535')
  }
  identity(config, report)
}

function program({ args, env }: Sound<Process>, report: Report): void {
  if (!args?.length && !report.isBroken('process.args')) {
    // COMPAT(runc): its wording.
    report.error('process.args', 'args must not be empty', { allowed: 'a list with the program' })
  }
  if (args?.[0] === '') report.error('process.args[0]', 'must not be empty', { found: '' })
  for (const [name, list] of [
    ['args', args],
    ['env', env],
  ] as const) {
    for (const [index, text] of each(list)) {
      const at = `process.${name}[${index}]`
      if (text.includes('\0')) report.error(at, 'must not hold a NUL', { found: text })
      if (name === 'env' && !text.includes('=', 1))
        report.warn(at, `${JSON.stringify(text)} is not NAME=value`)
    }
  }
}

const INVALID_ID = 'invalid id: the last one is 4294967294'

function identity(config: Config, report: Report): void {
  const user = config.process?.user
  if (!user) {
    if (!report.isBroken('process.user'))
      report.strictly('process.user', undefined, 'an object with uid and gid')
    return
  }
  const { umask, additionalGids } = user
  for (const name of ['uid', 'gid'] as const) {
    const id = user[name]
    const list = config.linux?.[name === 'uid' ? 'uidMappings' : 'gidMappings']
    if (id === undefined || id === null) {
      if (!report.isBroken(`process.user.${name}`))
        report.strictly(`process.user.${name}`, undefined, 'an id')
    }
    if (Number(id) === NO_ID) report.error(`process.user.${name}`, INVALID_ID, { found: id })
    if (makes(config, 'user') && !isMapped(list, Number(id ?? 0))) {
      report.error(`process.user.${name}`, `${id ?? 0} is not mapped in linux.${name}Mappings`, { found: id })
    }
  }
  if (typeof umask === 'number' && umask > 0o777) {
    report.error(
      'process.user.umask',
      `invalid umask ${umask}: expected at most 511 (0777); JSON numbers are decimal`,
      {
        found: umask,
      },
    )
  }
  for (const [index, gid] of each(additionalGids)) {
    if (Number(gid) === NO_ID)
      report.error(`process.user.additionalGids[${index}]`, INVALID_ID, { found: gid })
  }
  if (!makes(config, 'user')) return
  for (const [index, gid] of each(additionalGids)) {
    if (!isMapped(config.linux?.gidMappings, gid)) {
      const at = `process.user.additionalGids[${index}]`
      report.error(at, `${gid} is not mapped in linux.gidMappings`, { found: gid })
    }
  }
}
