/** What keeps Node alive for one container, as `ref()` and `unref()` of a child process. */
import { engine } from '../../native/engine.ts'

export class KeepAlive {
  readonly #reasons = new Set<object>()
  #referenced = true

  get referenced(): boolean {
    return this.#referenced
  }

  hold(reason: object): void {
    this.#reasons.add(reason)
    if (this.#referenced) engine().hold(reason)
  }

  release(reason: object): void {
    this.#reasons.delete(reason)
    engine().unhold(reason)
  }

  ref(): void {
    this.#referenced = true
    for (const reason of this.#reasons) engine().hold(reason)
  }

  unref(): void {
    this.#referenced = false
    for (const reason of this.#reasons) engine().unhold(reason)
  }
}
