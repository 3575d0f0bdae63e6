/** A progress line on the terminal; nothing if stderr is not a terminal. */
import { isatty } from 'node:tty'
import type { LayerProgress } from '../../index.ts'
import { printControl } from '../output.ts'
import { bytes } from './format.ts'

const WIDTH = 24

export interface Progress extends Disposable {
  update: (progress: Partial<LayerProgress> & { bytes?: number; total?: number }) => void
}

/** Disposing of it removes the line. */
export function progress(what: string, terminal: boolean = isatty(2)): Progress {
  let shown = false
  return {
    update: ({ read, bytes: copied, entries, total }) => {
      if (!terminal) return
      const done = read ?? copied ?? 0
      const bar = total
        ? ` [${'#'.repeat(Math.min(WIDTH, Math.round((WIDTH * done) / total))).padEnd(WIDTH)}]`
        : ''
      const of = total ? ` of ${bytes(total)}` : ''
      const files = entries === undefined ? '' : `, ${entries} entries`
      printControl('\r\u001B[K', `${what}${bar} ${bytes(done)}${of}${files}`)
      shown = true
    },
    [Symbol.dispose]: () => {
      if (shown) printControl('\r\u001B[K')
    },
  }
}
