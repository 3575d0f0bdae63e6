/** One line on a terminal that says how far the work is; nothing anywhere else. */
import type { HashProgress } from '../../native/digest.ts'
import { printControl } from '../output.ts'

/** What a file is to the bar. */
export interface Tracked {
  progress(progress: HashProgress): void
  done(): void
}

const WIDTH = 30
/** Short work is over before a bar can be read. */
const DELAY = 300 // milliseconds

export class ProgressBar {
  readonly #shown: boolean
  readonly #running = new Map<Tracked, HashProgress & { file: string }>()
  readonly #begun: number
  #drawn = false
  #passed = 0

  constructor(shown: boolean, now: number = performance.now()) {
    this.#shown = shown
    this.#begun = now
  }

  /** A file whose work begins. */
  track(file: string): Tracked | undefined {
    if (!this.#shown) return undefined
    const tracked: Tracked = {
      progress: (progress) => {
        this.#running.set(tracked, { ...progress, file })
        this.#draw()
      },
      done: () => {
        this.#passed += this.#running.get(tracked)?.read ?? 0
        this.#running.delete(tracked)
      },
    }
    return tracked
  }

  /** Takes the line away, so that something else can be printed. */
  clear(): void {
    if (this.#drawn) printControl('\r\x1b[K')
    this.#drawn = false
  }

  #draw(): void {
    const elapsed = performance.now() - this.#begun
    if (elapsed < DELAY) return
    this.#drawn = true
    const columns = process.stderr.columns || 80
    const line = barLine([...this.#running.values()], this.#passed, elapsed)
    printControl('\r\x1b[K', line.slice(0, columns - 1))
  }
}

/** `[=======>        ]  42 %  1.9 GB/s  FILE`; without the brackets where a size is not known. */
export function barLine(
  running: readonly (HashProgress & { file: string })[],
  passed: number,
  elapsed: number,
): string {
  const read = running.reduce((sum, each) => sum + each.read, 0)
  const total = running.reduce((sum, each) => sum + (each.total ?? NaN), 0)
  const rate = `${amount(((passed + read) / elapsed) * 1000)}/s`
  const names = running.length === 1 ? running[0]!.file : `${running.length} files`
  // A name may hold anything; the terminal must not obey it.
  // oxlint-disable-next-line no-control-regex
  const plain = names.replace(/[\x00-\x1f\x7f-\x9f]/g, '?')
  if (Number.isNaN(total) || total === 0) return `${amount(passed + read)}  ${rate}  ${plain}`
  const part = Math.min(read / total, 1)
  const filled = Math.floor(part * WIDTH)
  const bar = `${'='.repeat(filled)}${filled < WIDTH ? '>' : ''}`.padEnd(WIDTH)
  return `[${bar}] ${`${Math.floor(part * 100)}`.padStart(3)} %  ${rate}  ${plain}`
}

function amount(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}
