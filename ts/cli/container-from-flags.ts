/** `create`, and `run` in its first half: a container from the flags. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Container } from '../runtime/lifecycle/container.ts'
import { CaissonError } from '../errors.ts'
import { isObject } from '../options.ts'
import { number, on, text, type Invocation } from './command.ts'
import { foregroundStdio, type Configuration } from './relay.ts'
import { replaceFile } from './replace-file.ts'

export interface Purpose {
  /** The command returns while the container runs. */
  detached: boolean
  /** The container does not end with this process. */
  outlives: boolean
}

/** The pid file is there when this returns. */
export async function containerFromFlags(
  { context, flags, args }: Invocation,
  { detached, outlives }: Purpose,
): Promise<Container> {
  const bundle = resolve(text(flags, 'bundle') ?? '.')
  const config = text(flags, 'config')
  const consoleSocket = text(flags, 'console-socket')
  const configFile = config === undefined ? join(bundle, 'config.json') : resolve(config)
  const { log } = context
  const listening = listeningSockets()
  log.debug(`configuration ${configFile}`)
  const configuration = readConfiguration(configFile)
  const terminal = configuration.process?.terminal === true
  checkTerminal(terminal, detached, consoleSocket)
  const container = await context.runtime.create(args[0]!, {
    bundle,
    config,
    stdio: detached || terminal ? 'inherit' : foregroundStdio(configuration),
    detached: outlives,
    consoleSocket,
    pivot: !on(flags, 'no-pivot'),
    newKeyring: !on(flags, 'no-new-keyring'),
    preserveFds: (number(flags, 'preserve-fds') ?? 0) + listening,
    env: listening > 0 ? { LISTEN_FDS: String(listening), LISTEN_PID: '1' } : undefined,
  })
  log.debug(`container ${container.id} created, pid ${container.pid}`)
  const pidFile = text(flags, 'pid-file')
  try {
    if (pidFile !== undefined) writePidFile(resolve(pidFile), container.pid)
  } catch (error) {
    await container.delete({ force: true })
    throw error
  }
  return container
}

/** COMPAT(runc): sockets of systemd, sd_listen_fds(3), are handed on before those of --preserve-fds. */
function listeningSockets(): number {
  const { LISTEN_PID, LISTEN_FDS } = process.env
  const count = Number(LISTEN_FDS)
  return Number(LISTEN_PID) === process.pid && Number.isInteger(count) && count > 0 ? count : 0
}

/** Empty where it cannot be read or is not JSON: the native side, which is the authority, reports that. */
function readConfiguration(path: string): Configuration {
  try {
    const config: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return isObject(config) ? config : {}
  } catch {
    return {}
  }
}

/** COMPAT(runc): its sentences. */
function checkTerminal(terminal: boolean, detached: boolean, consoleSocket: string | undefined): void {
  const refuse = (message: string): never => {
    throw new CaissonError('ERR_INVALID_OPTION', message, { phase: 'validate' })
  }
  if (detached && terminal && consoleSocket === undefined) {
    refuse('cannot allocate tty if runc will detach without setting console socket')
  }
  if ((!detached || !terminal) && consoleSocket !== undefined) {
    refuse('cannot use console socket if runc will not detach or allocate tty')
  }
}

function writePidFile(path: string, pid: number): void {
  try {
    replaceFile(path, String(pid), 0o644)
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'no such file or directory' : String(code)
    throw new CaissonError('ERR_SYSCALL', `cannot write the pid file ${path}: ${reason}`, {
      phase: 'prepare',
      syscall,
      errno: code,
      path,
      cause,
    })
  }
}
