/** Output of a foreground container that goes through this process, as runc's does. */
import { fstatSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { StdioOption } from '../index.ts'
import { writeAll } from './output.ts'

/** What matters of config.json here; nothing of it is checked yet. */
export interface Configuration {
  process?: { user?: { uid?: unknown }; terminal?: unknown }
  linux?: { namespaces?: readonly { type?: unknown }[] }
}

/**
 * Standard streams for a container in the foreground. Handed on without a copy, except files that the program's user
 * may not open: a pipe takes their place, so that `/dev/stdout` can be opened. The file does not change its owner.
 */
export function foregroundStdio(config: Configuration): StdioOption {
  return ['inherit', isClosedTo(config, 1) ? 'pipe' : 'inherit', isClosedTo(config, 2) ? 'pipe' : 'inherit']
}

function isClosedTo({ process: program, linux }: Configuration, descriptor: number): boolean {
  const uid = program?.user?.uid ?? 0
  const mapped = process.geteuid?.() === 0 && linux?.namespaces?.some(({ type }) => type === 'user')
  if (uid === 0 && !mapped) return false
  try {
    const status = fstatSync(descriptor)
    return status.isFile() && status.uid !== uid
  } catch {
    return false // closed by the caller
  }
}

/** Resolves at the end of `from`. A descriptor that takes no more is EPIPE to the program. */
export function relay(from: Readable | null, descriptor: number): Promise<void> {
  if (!from) return Promise.resolve()
  return new Promise((resolve) => {
    if ('ref' in from) (from as Socket).ref()
    from.on('data', (chunk: Buffer) => {
      if (!writeAll(descriptor, chunk)) from.destroy()
    })
    from.on('error', () => {}) // its end, too
    from.on('close', resolve)
  })
}
