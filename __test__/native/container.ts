/** Short ways to drive the native engine in tests. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { CaissonError } from '../../ts/errors.ts'
import { Engine, type CreateRequest, type Exit, type NativeCreated } from '../../ts/native/engine.ts'
import { readContainer } from '../../ts/native/state.ts'
import type { Bundle } from './bundle.ts'

let serial = 0

/** An id that no other test uses. */
export function freshId(): string {
  serial += 1
  return `caisson-native-${String(process.pid)}-${String(serial)}`
}

export function requestFor(made: Bundle, overrides: Partial<CreateRequest> = {}): CreateRequest {
  return {
    id: freshId(),
    root: made.root,
    bundle: made.bundle,
    stdio: [-1, -2, -2],
    attached: false,
    pivot: true,
    newKeyring: true,
    preserveFds: 0,
    cgroupDisabled: false,
    ...overrides,
  }
}

/** Makes a container that is removed at the end of the test, whatever happens. */
export async function create(
  t: ExecutionContext,
  engine: Engine,
  request: CreateRequest,
): Promise<NativeCreated> {
  t.teardown(() => engine.destroy({ root: request.root, id: request.id, force: true }).catch(() => undefined))
  return engine.create(request)
}

/** Everything that comes out of a pipe whose descriptor we own. */
export async function textOf(descriptor: number | undefined): Promise<string> {
  if (descriptor === undefined) throw new Error('no pipe was made')
  const socket = new Socket({ fd: descriptor, readable: true, writable: false })
  let text = ''
  for await (const chunk of socket.setEncoding('utf8')) text += chunk
  return text
}

/** The exit of a container, keeping Node alive for it. */
export async function exitOf(engine: Engine, handle: number): Promise<Exit> {
  const holder = {}
  engine.hold(holder)
  try {
    return await engine.exited(handle)
  } finally {
    engine.unhold(holder)
  }
}

export interface Outcome extends Exit {
  stdout: string
  stderr: string
}

/** create, start, wait, destroy. */
export async function runToEnd(
  t: ExecutionContext,
  engine: Engine,
  request: CreateRequest,
): Promise<Outcome> {
  const created = await create(t, engine, request)
  const output = Promise.all([textOf(created.stdout), textOf(created.stderr)])
  await engine.start(request.root, request.id)
  const exit = await exitOf(engine, created.handle)
  const [stdout, stderr] = await output
  await engine.destroy({ root: request.root, id: request.id, force: false })
  return { ...exit, stdout, stderr }
}

/** The CaissonError that `work` rejects with. */
export async function failureOf(t: ExecutionContext, work: Promise<unknown>): Promise<CaissonError> {
  return (await t.throwsAsync(work, { instanceOf: CaissonError })) as CaissonError
}

/** Waits until `condition` holds; the test's own time limit ends it otherwise. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await pause(10)
}

/** Leftovers of a container: cgroup directories, its state directory. */
export function remains(root: string, id: string): string[] {
  const found: string[] = []
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before, after] = line.split(' - ')
    const target = before?.split(' ')[4]
    if (target && after && /^cgroup2? /.test(after)) found.push(...directoriesNamed(target, id, 5))
  }
  if (existsSync(join(root, id))) found.push(join(root, id))
  return found
}

function directoriesNamed(directory: string, name: string, depth: number): string[] {
  if (depth === 0) return []
  let entries
  try {
    entries = readdirSync(directory, { withFileTypes: true })
  } catch {
    return [] // a cgroup that another process is removing
  }
  return entries
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) =>
      entry.name === name
        ? [join(directory, name)]
        : directoriesNamed(join(directory, entry.name), name, depth - 1),
    )
}

/** Whether a process exists and is not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))
  } catch {
    return false
  }
}

export async function statusOf(root: string, id: string): Promise<string> {
  return (await readContainer(root, id)).status
}
