/** Runs a piece of code that uses the native engine in a process of its own. */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'

export const engineModule: string = new URL('../../ts/native/engine.ts', import.meta.url).href

export const nodeArguments = (body: string): string[] => [
  '--import=@oxc-node/core/register',
  '--no-warnings',
  '--input-type=module',
  '-e',
  `import { Engine } from ${JSON.stringify(engineModule)}
   const engine = new Engine()
   ${body}`,
]

export interface Elsewhere {
  child: ChildProcessByStdio<null, Readable, Readable>
  /** The first line it printed. */
  line: Promise<string>
  /** Everything it printed and how it ended. */
  end: Promise<{ status: number | null; output: string; errors: string }>
}

export function elsewhere(body: string, ids?: { uid: number; gid: number }): Elsewhere {
  const child = spawn(process.execPath, nodeArguments(body), { stdio: ['ignore', 'pipe', 'pipe'], ...ids })
  let [output, errors] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const end = once(child, 'close').then(([status]) => ({ status: status as number | null, output, errors }))
  const line = (async (): Promise<string> => {
    while (!output.includes('\n')) {
      const [what] = (await Promise.race([once(child.stdout, 'data'), end])) as [unknown] & {
        errors?: string
      }
      if (what === undefined) throw new Error(`it ended without a line: ${errors}`)
    }
    return output.slice(0, output.indexOf('\n'))
  })()
  line.catch(() => undefined) // only some callers await it
  return { child, line, end }
}
