/** Waits for something that cannot be aborted, as long as a signal allows. */

export interface Abortion {
  /** The result of `work`, or a rejection with the signal's reason, whichever is first. */
  race<T>(work: T | PromiseLike<T>): Promise<T>
  /** Stops listening to the signal. */
  release(): void
}

export function abortionOf(signal: AbortSignal | undefined): Abortion {
  if (!signal) return { race: async (work) => work, release: () => {} }
  let reject: (reason: unknown) => void
  const promise = new Promise<never>((_, refuse) => (reject = refuse))
  promise.catch(() => {}) // `promise` may lose every race
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  return {
    race: (work) => Promise.race([work, promise]),
    release: () => signal.removeEventListener('abort', abort),
  }
}
