import { constants } from 'node:os'
import type { ContainerExit } from '../../index.ts'
import { engine } from '../../native/engine.ts'
import type { Container } from '../../runtime/lifecycle/container.ts'
import { signalNumber } from '../../runtime/process/signal.ts'
import { on, type Command } from '../command.ts'
import { containerFromFlags } from '../container-from-flags.ts'
import { createFlags } from '../create-flags.ts'
import { relay } from '../relay.ts'

/** Not ours to hand on: the kernel's own, or about this process. */
const KEPT = new Set(['SIGKILL', 'SIGSTOP', 'SIGCHLD', 'SIGPIPE', 'SIGURG', 'SIGWINCH', 'SIGPROF', 'SIGSEGV'])
const FAULTS = new Set(['SIGBUS', 'SIGFPE', 'SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGIOT', 'SIGSYS', 'SIGSTKFLT'])

export const run: Command = {
  name: 'run',
  usage: 'create and run a container',
  argsUsage: '<container-id>',
  description: `Makes a container, begins its program, waits for its end and removes the container. The exit status is
the program's, or 128 and the signal's number.`,
  flags: [
    ...createFlags,
    { name: 'detach', aliases: ['d'], type: 'switch', usage: "detach from the container's process" },
    { name: 'keep', type: 'switch', usage: 'do not delete the container after it exits' },
  ],
  min: 1,
  max: 1,
  failurePrefix: true,
  run: async (invocation) => {
    const { log } = invocation.context
    const detached = on(invocation.flags, 'detach')
    const keep = on(invocation.flags, 'keep')
    const container = await containerFromFlags(invocation, { detached, outlives: detached || keep })
    if (!detached) forwardSignals(container)
    try {
      const terminal = container.takeConsole()
      const { id, handle } = container
      const proxied = terminal === undefined ? undefined : engine().proxyTerminal(id, terminal, handle)
      proxied?.catch(() => {}) // looked at below, after the start
      const relayed = detached ? [] : [relay(container.stdout, 1), relay(container.stderr, 2)]
      await container.start()
      log.debug(`container ${id} started`)
      if (detached) return 0
      await proxied
      const exit = await container.wait()
      const status = statusOf(exit)
      log.debug(`process exited, pid ${container.pid}, status ${status}`)
      if (!keep) {
        await container.delete({ force: true })
        log.debug(`container ${id} deleted`)
      }
      await Promise.all(relayed)
      return status
    } catch (error) {
      await container[Symbol.asyncDispose]()
      throw error
    }
  },
}

/** Until this process ends: a signal that comes when the program has just ended must not change the exit status. */
function forwardSignals(container: Container): void {
  const forward = (name: NodeJS.Signals): void => void container.kill(name).catch(() => {}) // it has just ended
  const names = Object.keys(constants.signals).filter(
    (name) => !KEPT.has(name) && !FAULTS.has(name),
  ) as NodeJS.Signals[]
  for (const name of names) process.on(name, forward)
}

function statusOf({ exitCode, signal }: ContainerExit): number {
  return exitCode ?? (signal === null ? 255 : 128 + signalNumber(signal))
}
