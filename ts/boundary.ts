/**
 * What leaves the package: errors of its own, with the caller's line. Answers of native threads come from the event
 * loop, so that a stack made there ends in the package; the stack of the call is kept and added to it.
 */
import { CaissonError, systemError } from './errors.ts'

type Entry = (...args: never[]) => unknown

/** Where a call into the package came from. */
export class CallSite {
  readonly #frames: { stack?: string } = {}

  /** `entry`: the function that was called; it and what it calls are left out. */
  constructor(entry: Entry | (abstract new (...args: never[]) => unknown)) {
    Error.captureStackTrace(this.#frames, entry)
  }

  /** The error to throw for `error`. Errors that the caller's own code threw stay what they are. */
  explain(error: unknown): unknown {
    const ours = systemError(undefined, error)
    if (!(ours instanceof CaissonError) || Object.isFrozen(ours)) return ours
    const site = framesOf(this.#frames.stack)
    // Where a chain of promises led back to the caller, V8 has found some of these frames itself.
    const known = new Set(site.map(place))
    const own = framesOf((ours === error ? ours : (error as Error)).stack)
    const met = own.findIndex((frame) => known.has(place(frame)))
    const frames = met === -1 ? own : own.slice(0, met)
    ours.stack = [`${ours.name}: ${ours.message}`, ...frames, ...site].join('\n')
    return ours
  }

  /** Settles as `work` does. Not an async function, which would be a frame in every stack. */
  explained<T>(work: Promise<T>): Promise<T> {
    return work.catch((error: unknown) => {
      throw this.explain(error)
    })
  }
}

/** The body of a public function: `return called(name, async () => { … })`. */
export function called<T>(entry: Entry, work: () => Promise<T>): Promise<T> {
  return new CallSite(entry).explained(work())
}

/** All methods and getters of a class, static ones too: as if each body were in {@link called}. */
export function explainErrors(type: { readonly prototype: object }): void {
  for (const target of [type, type.prototype])
    for (const key of Reflect.ownKeys(target)) {
      const descriptor = Object.getOwnPropertyDescriptor(target, key)!
      const { value, get } = descriptor as { value?: unknown; get?: Entry }
      if (key === 'constructor' || !descriptor.configurable) continue
      if (typeof value === 'function') descriptor.value = explaining(value as Entry)
      else if (get) descriptor.get = explaining(get) as () => unknown
      Object.defineProperty(target, key, descriptor)
    }
}

function explaining(method: Entry): Entry {
  const entry = function (this: unknown, ...args: never[]): unknown {
    let result
    try {
      result = method.apply(this, args)
    } catch (error) {
      throw systemError(undefined, error)
    }
    return result instanceof Promise ? new CallSite(entry).explained(result) : result
  }
  for (const name of ['name', 'length'] as const)
    Object.defineProperty(entry, name, { value: method[name], configurable: true })
  return entry
}

function framesOf(stack: string | undefined): string[] {
  return (stack ?? '').split('\n').filter((line) => line.startsWith('    at '))
}

/** A frame as function, file and line: the column is that of the call or that of the `await`. */
function place(frame: string): string {
  return frame.replace(/^ {4}at (async )?/, '').replace(/:\d+\)?$/, '')
}
