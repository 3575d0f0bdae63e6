/** Waiting for something that cannot be stopped, as long as a signal allows. */

export interface Abortion {
  /** What `work` comes to, or a rejection with the reason of the signal, whichever is first. */
  race<T>(work: T | PromiseLike<T>): Promise<T>
  /** Leaves the signal alone from now on. */
  release(): void
}

export function abortionOf(signal: AbortSignal | undefined): Abortion {
  if (!signal) return { race: async (work) => work, release: () => {} }
  let reject: (reason: unknown) => void
  const promise = new Promise<never>((_, refuse) => (reject = refuse))
  promise.catch(() => {}) // it may lose every race
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  return {
    race: (work) => Promise.race([work, promise]),
    release: () => signal.removeEventListener('abort', abort),
  }
}
