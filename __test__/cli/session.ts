/**
 * One session with a command like runc, recorded so that two of them can be compared: what differs from run to run is
 * replaced by names.
 */
import { spawn, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { defaultSpec } from '../../ts/image/default-spec.ts'
import { formatRuntimeSpec, type RuntimeSpec } from '../../ts/spec/index.ts'
import { needs, type Need } from '../fixtures/needs.ts'
import { makeRootfs, scratch } from '../fixtures/rootfs.ts'
import { until } from '../fixtures/until.ts'

export const COMMAND: string = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

export interface Said {
  status: number | null
  stdout: string
  stderr: string
}

export interface HowToSay {
  cwd?: string
  /** Content of stdin; default /dev/null. */
  input?: string
  env?: Record<string, string>
  /** Descriptors 3 and up. */
  more?: number[]
  /** How many of these are sockets of systemd, sd_listen_fds(3). */
  listening?: number
}

const folder = scratch('cli')
let serial = 0

export class Session {
  readonly name: 'runc' | 'caisson'
  readonly directory: string = join(folder, String(serial++).padStart(4, '0'))
  readonly root: string = join(this.directory, 'state')
  readonly bundle: string = join(this.directory, 'bundle')
  readonly id: string = `cli-${process.pid}-${String(serial).padStart(4, '0')}`
  readonly transcript: unknown[] = []
  readonly #program: string[]

  constructor(name: 'runc' | 'caisson') {
    this.name = name
    this.#program = name === 'runc' ? ['runc'] : [process.execPath, COMMAND]
    mkdirSync(join(this.bundle, 'rootfs'), { recursive: true })
    makeRootfs(join(this.bundle, 'rootfs'))
  }

  /** The command line, for use in another process. */
  command(args: string[]): string[] {
    return [...this.#program, ...args]
  }

  /** Writes config.json: the default without a terminal, changed by `edit`. */
  configure(args: string[], edit: (spec: RuntimeSpec) => void = () => {}): void {
    const spec = { ...defaultSpec(), ociVersion: '1.0.2' }
    spec.process = { ...spec.process!, terminal: false, args }
    edit(spec)
    writeFileSync(join(this.bundle, 'config.json'), formatRuntimeSpec(spec))
  }

  /** Runs the command without `--root`, unrecorded. */
  async exactly(
    args: string[],
    { cwd = this.bundle, input, env, more = [], listening }: HowToSay = {},
  ): Promise<Said> {
    const under = `LISTEN_PID=$$ LISTEN_FDS=${listening} exec "$@"`
    const wrapper = listening === undefined ? [] : ['sh', '-c', under, 'sh']
    const [program, ...words] = [...wrapper, ...this.command(args)]
    // Files, because a container that outlives the command keeps a pipe open.
    const outputs = ['stdout', 'stderr'].map((name) => openSync(join(this.directory, name), 'w+'))
    const stdio: StdioOptions = [input === undefined ? 'ignore' : 'pipe', ...outputs, ...more]
    const child = spawn(program!, words, { cwd, stdio, env: { ...process.env, ...env } })
    child.stdin?.end(input)
    const [status] = (await once(child, 'exit')) as [number | null]
    const [stdout, stderr] = ['stdout', 'stderr'].map((name) =>
      readFileSync(join(this.directory, name), 'utf8'),
    )
    for (const output of outputs) closeSync(output)
    return { status, stdout: stdout!, stderr: stderr! }
  }

  /** Runs the command below this session's state root and records the answer. */
  async say(args: string[], how?: HowToSay): Promise<Said> {
    const said = await this.exactly(['--root', this.root, ...args], how)
    this.transcript.push({ say: this.plain(args.join(' ')), ...this.plainly(said) })
    return said
  }

  note(what: unknown): void {
    this.transcript.push(what)
  }

  /** Waits until `state` reports this status. */
  async until(status: string): Promise<void> {
    for (let attempt = 0; attempt < 300; attempt++) {
      const { stdout } = await this.exactly(['--root', this.root, 'state', this.id])
      if (stdout.includes(`"status": "${status}"`)) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`${this.name}: ${this.id} did not become ${status}`)
  }

  /** Waits until the first process is this program, no longer the runtime's, and handles a signal. */
  async untilHandled(program: string, signal: number): Promise<void> {
    const { stdout } = await this.exactly(['--root', this.root, 'state', this.id])
    const { pid } = JSON.parse(stdout) as { pid: number }
    await until(() => {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1')
      const [, mask = '0'] = /^SigCgt:\s*([\da-f]+)$/m.exec(status) ?? []
      return (
        status.startsWith(`Name:\t${program}\n`) && ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n
      )
    }, `${program} handles signal ${signal}`)
  }

  plainly({ status, stdout, stderr }: Said): object {
    return { status, stdout: this.plain(stdout), stderr: this.plain(stderr) }
  }

  plain(words: string): string {
    return (
      words
        .replaceAll(this.id, 'ID')
        .replaceAll(this.directory, 'DIR')
        .replace(/\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)/g, 'TIME')
        // runc states the version it was made with, and the owner in the list alone.
        .replace(/("ociVersion": ?)"[^"]*"/g, '$1"1.x"')
        .replace(/"owner": "[^"]*"/, '"owner": "OWNER"')
        .replace(/("pid": ?)[1-9]\d*/g, '$1PID')
        .replace(/^(ID +)\d\d+ /gm, '$1PID ')
        .replace(/\b(runc|caisson)\b/g, 'COMMAND')
        .replace(/ {2,}/g, '  ')
    )
  }

  async end(): Promise<void> {
    await this.exactly(['--root', this.root, 'delete', '--force', this.id])
  }
}

export type Talk = (session: Session, t: ExecutionContext) => Promise<void>

/** Runs the same session with runc and with caisson: every answer is equal. */
export function sameAsRunc(title: string, talk: Talk, ...need: Need[]): void {
  needs(
    'root',
    'cgroup',
    'busybox',
    'runc',
    ...need,
  )(title, async (t) => {
    const transcripts: unknown[][] = []
    for (const name of ['runc', 'caisson'] as const) {
      const session = new Session(name)
      try {
        await talk(session, t)
      } finally {
        await session.end()
      }
      t.true(session.transcript.length > 0)
      transcripts.push(session.transcript)
    }
    t.deepEqual(transcripts[1], transcripts[0])
  })
}

/** A session with caisson alone. */
export function withUs(title: string, talk: Talk): void {
  needs(
    'root',
    'cgroup',
    'busybox',
  )(title, async (t) => {
    const session = new Session('caisson')
    try {
      await talk(session, t)
    } finally {
      await session.end()
    }
  })
}
