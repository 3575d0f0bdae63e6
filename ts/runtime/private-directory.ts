/** Directories that live as long as one container: unpacked images, generated bundles. */
import { chmodSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive, thisProcess } from './owner.ts'

const NAME = /^caisson-run-(\d+)-(\d+)-/

/** A new directory of this process's own (mode 0700). Its name says whose it is, so that a later process can sweep. */
export function makePrivateDirectory(): string {
  const { pid, startTime } = thisProcess()
  return mkdtempSync(join(tmpdir(), `caisson-run-${pid}-${startTime}-`))
}

/** Removes what processes that were killed have left. */
export function sweepPrivateDirectories(): void {
  const uid = process.geteuid?.() ?? 0
  for (const name of readdirSync(tmpdir())) {
    const match = NAME.exec(name)
    if (!match || isAlive({ pid: Number(match[1]), startTime: match[2]! })) continue
    const path = join(tmpdir(), name)
    // SECURITY: somebody else's directory of that name is left alone.
    const stat = lstatSync(path, { throwIfNoEntry: false })
    if (!stat?.isDirectory() || stat.uid !== uid) continue
    try {
      chmodSync(path, 0o700)
      rmSync(path, { recursive: true, force: true })
    } catch {
      // in use or unreadable: the next process tries again
    }
  }
}
