/** A terminal that goes away while the command runs. */
import { closeSync } from 'node:fs'
import { isatty } from 'node:tty'

/**
 * At its end Node 20 restores the terminal's settings, and dies of a signal where the terminal has gone. The exit
 * status has to be the program's, so that standard streams of such a terminal are closed before.
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
