/** A progress line on the terminal; nothing where stderr is not one. */
import { isatty } from 'node:tty'
import type { LayerProgress } from '../../index.ts'
import { printControl } from '../output.ts'
import { bytes } from './format.ts'

const WIDTH = 24

export interface Progress extends Disposable {
  update: (progress: Partial<LayerProgress> & { bytes?: number; total?: number }) => void
}

/** Dispose of it to take the line away. */
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
