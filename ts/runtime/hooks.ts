/**
 * Hooks of the runtime's own namespaces: prestart, createRuntime, poststart, poststop (runtime-spec, "POSIX-platform
 * Hooks"). createContainer and startContainer run in the container's namespaces, in the native helper.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CaissonError } from '../errors.ts'
import type { ContainerState } from './state.ts'

export type RuntimeHook = 'prestart' | 'createRuntime' | 'poststart' | 'poststop'

/** One entry of a hook list in config.json. `timeout` is in seconds. */
export interface Hook {
  path: string
  args?: string[]
  env?: string[]
  timeout?: number
}

export type Hooks = Partial<Record<RuntimeHook, Hook[]>>

/** How long the pipes of a hook that has ended are listened to: a child of its own may hold them open for ever. */
const DRAIN = 200

/** The hooks of a container, from the private copy of its configuration. */
export function readHooks(directory: string): Hooks {
  try {
    return hooksOf(readFileSync(join(directory, 'config.json'), 'utf8'))
  } catch {
    return {} // half-made or damaged: nothing says which hooks to run
  }
}

/** The hooks of a configuration text that the native side has accepted. */
export function hooksOf(config: string): Hooks {
  // Most configurations have none; a key with escapes in it is rare enough to be parsed for.
  if (!config.includes('"hooks"') && !config.includes('\\u')) return {}
  return (JSON.parse(config) as { hooks?: Hooks | null }).hooks ?? {}
}

/** Runs the hooks of one kind in order. Rejects with `ERR_HOOK` at the first that fails. */
export async function runHooks(kind: RuntimeHook, hooks: Hooks, state: ContainerState): Promise<void> {
  const input = JSON.stringify(state)
  for (const [index, hook] of (hooks[kind] ?? []).entries()) {
    const problem = await runHook(hook, input)
    if (problem === undefined) continue
    // COMPAT(runc): its sentence.
    throw new CaissonError('ERR_HOOK', `error running ${kind} hook #${index}: ${problem}`, {
      phase: 'hook',
      containerId: state.id,
      path: hook.path,
    })
  }
}

/** Resolves with what went wrong, or undefined. */
function runHook(hook: Hook, input: string): Promise<string | undefined> {
  const { path, args = [path], env, timeout } = hook
  return new Promise((resolve) => {
    const child = spawn(path, args.slice(1), {
      argv0: args[0] ?? path,
      // SECURITY: CVE-2025-23266: exactly what the configuration gives, or our own; never the container's environment.
      env: env ? Object.fromEntries(env.map(assignment)) : process.env,
      stdio: 'pipe',
      detached: true, // a process group of its own, so that a time-out ends the hook's children too
    })
    let output = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-4096)))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-4096)))
    child.stdin.on('error', () => {}) // a hook need not read its state: EPIPE is no failure
    child.stdin.end(input)
    let timedOut = false
    const kill = (): void => {
      timedOut = true
      if (child.pid !== undefined) killGroup(child.pid)
    }
    const timers = timeout ? [setTimeout(kill, timeout * 1000)] : []
    const settle = (problem: string | undefined): void => {
      for (const timer of timers) clearTimeout(timer)
      child.stdout.destroy()
      child.stderr.destroy()
      resolve(problem)
    }
    child.on('error', (error: NodeJS.ErrnoException) => settle(`cannot run ${path}: ${error.code}`))
    child.on('exit', (code, signal) => {
      const reason = timedOut
        ? `timed out after ${timeout} s`
        : signal
          ? `signal: ${signal}`
          : `exit status ${code}`
      const report = (): void => {
        const fine = code === 0 && !timedOut
        settle(fine ? undefined : `${reason}, stdout: ${output.trim()}, stderr: ${errors.trim()}`)
      }
      child.on('close', report)
      timers.push(setTimeout(report, DRAIN))
    })
  })
}

function assignment(text: string): [string, string] {
  const at = text.indexOf('=')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // it has ended in this very moment
  }
}
