/** What a caller can say about a new container beside its configuration. */
import type { LayerOptions } from '../source/layer-options.ts'
import type { Source } from '../source/source.ts'
import type { SpecOptions } from '../source/spec-options.ts'
import type { StdioOption } from '../stdio/stdio.ts'

export interface LifetimeOptions extends LayerOptions {
  /**
   * Whether the container outlives this process. By default it is killed with it, also when this process is ended by
   * SIGKILL, and nothing of it is left.
   */
  detached?: boolean | undefined
  /**
   * Process id of another process, such as `process.ppid` of a test worker: the container is killed when that process
   * is gone, and does not keep a worker alive whose runner was killed.
   */
  parent?: number | undefined
  /** As in `node:child_process`; default `'pipe'`. Ignored streams of a container with a terminal are the terminal. */
  stdio?: StdioOption | undefined
  /** Gives up: what was begun is undone, and the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined
  /** Path of a listening Unix socket that gets the master of the container's terminal. */
  consoleSocket?: string | undefined
  /** Number of descriptors from 3 on that the program inherits, at most 246. Default 0. */
  preserveFds?: number | undefined
  /** `false`: the root is moved over `/` instead of pivot_root(2); only for a root file system on a ramdisk. */
  pivot?: boolean | undefined
  /** `false`: the program shares the session keyring of this process. */
  newKeyring?: boolean | undefined
}

/** Exactly one of `bundle`, `rootfs` and `image` says what the container is made from. */
export interface CreateOptions extends LifetimeOptions, SpecOptions {
  /** Directory with config.json. */
  bundle?: string | undefined
  /** Configuration file in place of config.json of the bundle. */
  config?: string | undefined
  /** Directory that becomes `/`; the rest is runc's default configuration. */
  rootfs?: string | undefined
  /** `'oci:dir[:tag]'` or an opened image, its layers shared through the store; or `'host'`. */
  image?: Source | undefined
}
