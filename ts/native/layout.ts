/**
 * Layout directories: opened once and changed by descriptors, as another user may own them and put links in the way.
 */
import { addon } from './addon.ts'
import type { LayoutHandle, NativeError } from './binding.d.ts'
import { errorFrom } from './failure.ts'

/** A blob to be written, or a private directory for its sources. */
export interface Unfinished {
  /** A path to the file or directory, valid in this process only. */
  readonly path: string
  /** Removes it, unless it was placed. */
  discard(): Promise<void>
}

export interface NewBlob extends Unfinished {
  /** Moves the finished file to the path of its digest; a failure discards it. */
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

  /** Links in `path` itself are followed, but none below it. */
  static async open(path: string): Promise<OpenLayout> {
    const handle = new (addon().LayoutHandle)()
    check(await handle.open(path))
    return new OpenLayout(handle)
  }

  /** A path to the directory that survives renames, valid in this process while it is open. */
  get path(): string {
    return this.#handle.path
  }

  /** Creates the missing directories of a layout. */
  async prepare(): Promise<void> {
    check(await this.#handle.prepare())
  }

  /** Writes a small file of the layout atomically. Throws `ERR_EXISTS`. */
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

  /** Removes all blobs except those in `keep`; with `dryRun` it only lists them. */
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
