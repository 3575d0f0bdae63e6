/** Runs one configuration through one runtime: its output and exit status. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CaissonError, Runtime } from '../../ts/index.ts'
import { text } from '../fixtures/text.ts'

export interface Outcome {
  stdout: string
  /** As `run` reports it: 128 and the signal's number for a program killed by one. */
  status: number
  /** The message of a refusal; undefined if the program ran. */
  refused?: string
}

export type Contender = (bundle: string, id: string) => Promise<Outcome>

const root = mkdtempSync(join(tmpdir(), 'caisson-differential-'))
process.once('exit', () => rmSync(root, { recursive: true, force: true }))
const runtime = new Runtime({ root: join(root, 'caisson'), onWarning: () => {} })

const SIGNALS: Record<string, number> = { SIGKILL: 9, SIGTERM: 15, SIGSEGV: 11, SIGUSR1: 10, SIGSYS: 31 }

/** The library. */
export const caisson: Contender = async (bundle, id) => {
  let container
  try {
    container = await runtime.create(id, { bundle })
    const output = text(container.stdout)
    const errors = text(container.stderr)
    container.stdin?.end()
    await container.start()
    const { exitCode, signal } = await container.wait()
    await errors
    return { stdout: await output, status: exitCode ?? 128 + (SIGNALS[signal ?? ''] ?? NaN) }
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error
    return { stdout: '', status: -1, refused: `${error.code}: ${error.message}` }
  } finally {
    await container?.delete({ force: true })
  }
}

const withHugetlb = new URL('../../scripts/with-hugetlb', import.meta.url).pathname

/** A program with runc's command line. */
export function peer(name: 'runc' | 'crun'): Contender {
  return (bundle, id) => {
    const command = [name, '--root', join(root, name), 'run', '--bundle', bundle, id]
    if (name === 'crun') command.unshift(withHugetlb)
    // A pipe as stdin: crun 1.8 gives the device of an ignored one, the host's /dev/null, to the container's user.
    const child = spawn(command[0]!, command.slice(1), { stdio: 'pipe' })
    child.stdin.end()
    const outputs = Promise.all([text(child.stdout), text(child.stderr)])
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', async (code, signal) => {
        const [stdout, stderr] = await outputs
        const status = code ?? 128 + (SIGNALS[signal ?? ''] ?? NaN)
        // The probe always prints something: empty stdout with text on stderr is the runtime's refusal.
        const refused = stdout === '' && stderr !== '' && status > 0 ? { refused: stderr.trim() } : {}
        resolve({ stdout, status, ...refused })
      })
    })
  }
}
