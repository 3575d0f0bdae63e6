/** Requirements of the runtime specification as tables: a configuration, and what it has to lead to. */
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { CaissonError, Runtime, type Container, type ErrorCode } from '../../ts/index.ts'
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import { needs, type Need } from '../fixtures/needs.ts'
import { remains } from '../fixtures/remains.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { text } from '../fixtures/text.ts'

/** One container; exactly one of `prints`, `refused`, `failsAtStart` and `check` says how it has to go. */
export interface Requirement {
  edit?: ((spec: RuntimeSpec) => void) | undefined
  /** A shell script as the program; default `true`. */
  script?: string
  args?: string[]
  /** All of the program's stdout without the last newline, or a pattern of it. */
  prints?: string | RegExp
  /** Code of the error with which create refuses, or a pattern of it; nothing exists afterwards. */
  refused?: ErrorCode | RegExp
  /** Code of the error with which start refuses. */
  failsAtStart?: ErrorCode
  /** A warning that has to be given. */
  warns?: RegExp
  /** Looks at the created container from outside; the program is not started by the table. */
  check?: (t: ExecutionContext, container: Container) => Promise<void>
  needs?: Need[] | undefined
}

export const root: string = join(scratch('conformance'), 'root')
export const isRoot: boolean = process.geteuid?.() === 0
let serial = 0
// None is the beginning of another.
export const uniqueId = (): string => `conformance-${process.pid}-${serial++}x`

/** A runtime that collects its warnings. */
export function observedRuntime(): { runtime: Runtime; warnings: string[] } {
  const warnings: string[] = []
  return { runtime: new Runtime({ root, onWarning: (message) => warnings.push(message) }), warnings }
}

/** Nothing of the container is left. */
export function assertGone(t: ExecutionContext, id: string): void {
  const { processes, cgroups, directories } = remains(root, id)
  t.deepEqual({ processes, cgroups, directories }, { processes: [], cgroups: [], directories: [] })
}

/** Starts the program and collects what it says. */
export async function output(container: Container): Promise<{ stdout: string; stderr: string }> {
  const outputs = Promise.all([text(container.stdout), text(container.stderr)])
  container.stdin?.end()
  await container.start()
  await container.wait()
  const [stdout, stderr] = await outputs
  return { stdout: stdout.replace(/\n$/, ''), stderr }
}

async function examine(t: ExecutionContext, requirement: Requirement): Promise<void> {
  const { edit, script, args, prints, refused, failsAtStart, warns, check } = requirement
  const { runtime, warnings } = observedRuntime()
  const id = uniqueId()
  const program = args ?? (script === undefined ? ['true'] : ['sh', '-c', script])
  const source = { bundle: bundle({ args: program, ...(edit ? { edit } : {}) }) }
  if (refused !== undefined) {
    const error = await t.throwsAsync(runtime.create(id, source), { instanceOf: CaissonError })
    if (refused instanceof RegExp) t.regex(error?.code ?? '', refused, error?.message)
    else t.is(error?.code, refused, error?.message)
    return assertGone(t, id)
  }
  const container = await runtime.create(id, source)
  try {
    if (failsAtStart !== undefined) await t.throwsAsync(container.start(), { code: failsAtStart })
    else if (check) await check(t, container)
    else {
      const { stdout, stderr } = await output(container)
      t.is(stderr, '')
      if (prints instanceof RegExp) t.regex(stdout, prints)
      else t.is(stdout, prints ?? '')
    }
  } finally {
    await container.delete({ force: true })
  }
  if (warns)
    t.true(
      warnings.some((message) => warns.test(message)),
      JSON.stringify(warnings),
    )
  else t.deepEqual(warnings, [])
  assertGone(t, id)
}

/** One test for each entry. */
export function requirements(table: Record<string, Requirement>): void {
  for (const [title, requirement] of Object.entries(table))
    needs(...(isRoot ? [] : (['userns'] as const)), ...(requirement.needs ?? []))(title, (t) =>
      examine(t, requirement),
    )
}

/** Changes of a configuration, one after the other. */
export const edits =
  (...all: Array<(spec: RuntimeSpec) => void>) =>
  (spec: RuntimeSpec): void =>
    all.forEach((edit) => edit(spec))
export const process_ =
  (change: object) =>
  (spec: RuntimeSpec): void =>
    void Object.assign(spec.process!, change)
export const linux =
  (change: object) =>
  (spec: RuntimeSpec): void =>
    void Object.assign(spec.linux!, change)
export const top =
  (change: object) =>
  (spec: RuntimeSpec): void =>
    void Object.assign(spec, change)
