/** Standard streams: what the caller names to what the native side takes, and descriptors to Node streams. */
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import type { WritableStream } from 'node:stream/web'
import { SpecError } from '../../errors.ts'
import { has } from '../../options.ts'
import { isInputStream, type InputStream } from './input.ts'

/** A stream that takes what the program writes. It is ended after the program. */
export type OutputTarget = Writable | WritableStream

/** One stream, as in `node:child_process`: a new pipe, this process's own, /dev/null, a descriptor, a stream. */
export type StdioValue =
  'pipe' | 'inherit' | 'ignore' | number | InputStream | OutputTarget | null | undefined

/** One value for all three, or one each for stdin, stdout and stderr. */
export type StdioOption = 'pipe' | 'inherit' | 'ignore' | readonly StdioValue[]

export const NULL = -1
export const PIPE = -2

/** What goes to the native side, and the streams to connect to our ends of the pipes. */
export interface StdioPlan {
  numbers: [number, number, number]
  connect: [InputStream | undefined, OutputTarget | undefined, OutputTarget | undefined]
}

/** Throws `ERR_INVALID_OPTION`. */
export function planStdio(option: StdioOption | undefined): StdioPlan {
  const values: readonly StdioValue[] = Array.isArray(option) ? option : [option, option, option]
  if (values.length > 3)
    throw invalid('stdio', 'has more than three entries; use preserveFds for further descriptors')
  const plan: StdioPlan = { numbers: [PIPE, PIPE, PIPE], connect: [undefined, undefined, undefined] }
  for (const index of [0, 1, 2] as const) {
    const value = values[index] as StdioValue
    if (value === 'ignore') plan.numbers[index] = NULL
    else if (value === 'inherit') plan.numbers[index] = index
    else if (typeof value === 'number' && Number.isInteger(value) && value >= 0) plan.numbers[index] = value
    else if (typeof value === 'object' && value !== null) {
      const descriptor = descriptorOf(value as Readable | Writable)
      if (descriptor !== undefined) plan.numbers[index] = descriptor
      else if (index === 0 && isInputStream(value)) plan.connect[0] = value
      else if (index !== 0 && isOutputTarget(value)) {
        if ('locked' in value && value.locked) throw invalid(`stdio[${index}]`, 'is locked by another writer')
        plan.connect[index] = value
      } else
        throw invalid(`stdio[${index}]`, `must be a stream that can be ${index === 0 ? 'read' : 'written'}`)
    } else if (value !== 'pipe' && value !== undefined && value !== null) {
      throw invalid(
        `stdio[${index}]`,
        `invalid value ${String(value)}: expected 'pipe', 'inherit', 'ignore', a descriptor or a stream`,
      )
    }
  }
  return plan
}

function isOutputTarget(value: object): value is OutputTarget {
  return has(value, 'write', 'on') || has(value, 'getWriter')
}

/** A stream with a descriptor hands the descriptor on, as in `node:child_process`. */
function descriptorOf(stream: Readable | Writable): number | undefined {
  const { fd, _handle } = stream as { fd?: unknown; _handle?: { fd?: unknown } | null }
  for (const candidate of [fd, _handle?.fd])
    if (typeof candidate === 'number' && candidate >= 0) return candidate
  return undefined
}

function invalid(path: string, message: string): SpecError {
  return new SpecError('ERR_INVALID_OPTION', 'options', [{ path, message }])
}

/**
 * Our end of a pipe the container reads from. The stream owns the descriptor and does not keep Node alive by itself.
 */
export function writablePipe(fd: number): Socket {
  const socket = new Socket({ fd, readable: false, writable: true })
  socket.on('error', () => {}) // EPIPE: the program does not read any more, which is its right
  return socket.unref()
}

/** Our end of a pipe the container writes to. */
export function readablePipe(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: false }).unref()
}
