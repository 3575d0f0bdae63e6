/** A process whose namespaces can be joined. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readlinkSync } from 'node:fs'

const TYPES = { network: 'net', ipc: 'ipc', uts: 'uts', pid: 'pid' } as const

export class Holder {
  readonly #child: ChildProcess
  readonly #pid: number

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child
    this.#pid = pid
  }

  static async start(): Promise<Holder> {
    const script = 'echo ready; exec sleep 600'
    const arguments_ = ['--net', '--ipc', '--uts', '--pid', '--fork', '--kill-child', 'sh', '-c', script]
    const child = spawn('unshare', arguments_, { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1')
    return new Holder(child, Number(children.split(' ')[0]))
  }

  path(type: keyof typeof TYPES): string {
    return `/proc/${this.#pid}/ns/${TYPES[type]}`
  }

  /** Names of its namespaces in the links below /proc/PID/ns. */
  links(): string[] {
    return Object.keys(TYPES).map((type) => readlinkSync(this.path(type as keyof typeof TYPES)))
  }

  async end(): Promise<void> {
    const closed = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await closed
  }
}
