/** A terminal that goes away while the command runs. */
import { closeSync } from 'node:fs'
import { isatty } from 'node:tty'

/**
 * At its end Node 20 puts the terminal back as it was, and dies of a signal where there is none any more. The exit status is the
 * program's all the same, so that the standard streams of a terminal that has gone are closed before.
 */
export function outliveTerminal(): void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd))
  process.on('exit', () => {
    for (const fd of terminals) {
      if (isatty(fd)) continue
      try {
        closeSync(fd)
      } catch {
        // closed already
      }
    }
  })
}
