/** Layout directories: opened once, and changed by descriptors, as somebody else may own them and put links in the way. */
import { addon } from './addon.ts'
import type { LayoutHandle, NativeError } from './binding.d.ts'
import { errorFrom } from './failure.ts'

/** A blob to be written, or a private directory to make one from. */
export interface Unfinished {
  /** Leads to the file or directory, in this process alone. */
  readonly path: string
  /** Removes it, unless it was placed. */
  discard(): Promise<void>
}

export interface NewBlob extends Unfinished {
  /** Gives the finished file its place under its digest; it is discarded where that fails. */
  place(digest: string): Promise<void>
}

export interface CollectedBlobs {
  removed: string[]
  bytes: number
  kept: number
}

export class OpenLayout implements Disposable {
  readonly #handle: LayoutHandle

  private constructor(handle: LayoutHandle) {
    this.#handle = handle
  }

  /** Links in `path` itself are followed, none below it. */
  static async open(path: string): Promise<OpenLayout> {
    const handle = new (addon().LayoutHandle)()
    check(await handle.open(path))
    return new OpenLayout(handle)
  }

  /** Leads to the directory, whatever becomes of its name, in this process and until it is closed. */
  get path(): string {
    return this.#handle.path
  }

  /** Makes the directories of a layout that are missing. */
  async prepare(): Promise<void> {
    check(await this.#handle.prepare())
  }

  /** Writes a small file of the layout itself, whole. Throws `ERR_EXISTS`. */
  async place(name: string, content: string, { replace }: { replace: boolean }): Promise<void> {
    check(await this.#handle.place(name, Buffer.from(content), replace))
  }

  async newBlob(): Promise<NewBlob> {
    const { failure, id, path } = await this.#handle.newBlob()
    check(failure)
    return {
      path,
      place: async (digest) => check(await this.#handle.placeBlob(id, digest)),
      discard: async () => check(await this.#handle.discard(id)),
    }
  }

  async newSpool(): Promise<Unfinished> {
    const { failure, id, path } = await this.#handle.newSpool()
    check(failure)
    return { path, discard: async () => check(await this.#handle.discard(id)) }
  }

  async removeBlob(digest: string): Promise<void> {
    check(await this.#handle.removeBlob(digest))
  }

  /** Removes all blobs but those to `keep`; with `dryRun` it only says which. */
  async collect(
    keep: Iterable<string>,
    { dryRun = false, signal }: { dryRun?: boolean | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<CollectedBlobs> {
    signal?.throwIfAborted()
    const stop = (): void => this.#handle.stop()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      const { failure, ...collected } = await this.#handle.collect([...keep], dryRun)
      if (failure?.code === 'ERR_ABORTED') signal?.throwIfAborted()
      check(failure)
      return collected
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }

  close(): void {
    this.#handle.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function check(failure: NativeError | null | undefined): void {
  if (failure) throw errorFrom(failure)
}
