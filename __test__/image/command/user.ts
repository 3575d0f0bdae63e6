/** The command as root and as an ordinary user, each in a separate folder. */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { checkout } from '../../fixtures/program.ts'
import { needs, skipped, type Need } from '../../fixtures/needs.ts'
import { scratch } from '../../fixtures/rootfs.ts'

const COMMAND = join(checkout, 'dist/cli.js')
const isRoot = process.geteuid?.() === 0

export interface Answer {
  status: number | null
  stdout: string
  stderr: string
}

/** A user who runs programs. */
export class User {
  readonly name: string
  readonly folder: string
  readonly ids: { uid?: number; gid?: number }

  constructor(name: string, ids: { uid?: number; gid?: number }) {
    this.name = name
    this.ids = ids
    this.folder = scratch('image-command')
    chmodSync(this.folder, 0o755)
    if (ids.uid !== undefined) chownSync(this.folder, ids.uid, ids.gid!)
  }

  /** Path of the program, for Node. */
  get command(): string {
    return COMMAND
  }

  get ordinary(): boolean {
    return this.name !== 'root'
  }

  run(program: string, args: readonly string[], env: Record<string, string> = {}): Answer {
    const { status, stdout, stderr, error } = spawnSync(program, args, {
      cwd: this.folder,
      encoding: 'utf8',
      env: { ...process.env, HOME: this.folder, ...env },
      maxBuffer: 1 << 28,
      ...this.ids,
    })
    if (error) throw error
    return { status, stdout, stderr }
  }

  /** Output of `caisson image …`, which must succeed. */
  image(args: string | readonly string[], env: Record<string, string> = {}): string {
    const { status, stdout, stderr } = this.try(args, env)
    if (status !== 0) throw new Error(`caisson image ${String(args)}: ${stderr}`)
    return stdout
  }

  /** `caisson image …`, whether it fails or not. Arguments are separated by spaces, or a list. */
  try(args: string | readonly string[], env: Record<string, string> = {}): Answer {
    const words = typeof args === 'string' ? args.split(' ') : args
    return this.run(process.execPath, [COMMAND, 'image', ...words], env)
  }

  /** A shell script, which must succeed. */
  sh(script: string): string {
    const { status, stdout, stderr } = this.run('sh', ['-ec', script])
    if (status !== 0) throw new Error(`${script}: ${stderr}`)
    return stdout
  }

  json<T>(args: string): T {
    return JSON.parse(this.image(`${args} --format json`)) as T
  }
}

function ordinaryIds(): { uid: number; gid: number } | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith('caisson-test:'))
  const [, , uid, gid] = line?.split(':') ?? []
  if (uid === undefined || gid === undefined) return undefined
  const ids = { uid: Number(uid), gid: Number(gid) }
  const { status } = spawnSync(process.execPath, [COMMAND, '--version'], ids)
  return status === 0 ? ids : undefined
}

/** A test as root and as an ordinary user, each skipped where this process cannot be them or a need is not met. */
export function asEach(
  title: string,
  body: (t: ExecutionContext, user: User) => void | Promise<void>,
  ...need: Need[]
): void {
  needs('root', ...need)(`${title}, as root`, (t) => body(t, new User('root', {})))
  const ids = isRoot ? ordinaryIds() : {}
  const ordinary = ids ? needs(...need) : skipped('there is no user caisson-test that can read this checkout')
  ordinary(`${title}, as an ordinary user`, (t) => body(t, new User('ordinary', ids!)))
}
