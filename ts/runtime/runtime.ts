/** A place where containers are: makes, finds and lists them. */
import { join, resolve } from 'node:path'
import { explainErrors } from '../boundary.ts'
import type { Store } from '../image/index.ts'
import { CaissonError, systemError } from '../errors.ts'
import { addon } from '../native/addon.ts'
import { engine } from '../native/engine.ts'
import { errorFrom, isNativeError } from '../native/failure.ts'
import { Container } from './lifecycle/container.ts'
import type { CreateOptions } from './lifecycle/create-options.ts'
import { createContainer, type RuntimeSettings } from './lifecycle/create.ts'
import { checkArgument, checkOptions, path as isPath, text } from '../options.ts'
import { checkId } from './state/id.ts'
import { KnownImages } from './source/known-images.ts'
import { createOptions, runtimeOptions, specOptions as known } from './known-options.ts'
import { prepareRoot } from './lifecycle/reap.ts'
import { ContainerProcess, type OutputOf, type RunOptions } from './process/process.ts'
import { isRootless } from './rights.ts'
import { resolveSource, type Source } from './source/source.ts'
import type { SpecOptions } from './source/spec-options.ts'
import { listContainers, readContainer, reclaimContainer } from '../native/state.ts'
import { defaultRoot } from './state/state-root.ts'
import { stateOf, type ContainerState } from './state/state.ts'
import { visibleLine } from '../visible.ts'

export interface RuntimeOptions {
  /** Directory of the state directories. Default `/run/caisson` as root, `$XDG_RUNTIME_DIR/caisson` otherwise. */
  root?: string | undefined
  /** `'disabled'`: containers stay in this process's cgroups and can have no limits. Default `'cgroupfs'`. */
  cgroupManager?: 'cgroupfs' | 'disabled' | undefined
  /**
   * Whether to do without the rights of root, as an ordinary user has to: a user namespace for every container that has
   * no configuration of its own. Decided from the user id by default.
   */
  rootless?: boolean | undefined
  /**
   * What becomes of `apparmorProfile`, `selinuxLabel` and `mountLabel` where that security module is not active. The
   * default `'error'` refuses the container, as it would be unconfined; `'warn'` runs it without the label.
   */
  missingSecurityModule?: 'error' | 'warn' | undefined
  /** Where the layers of images are, or the directory of it. Default: a store of its own, see {@link Store}. */
  store?: Store | string | undefined
  /**
   * Gets what is worth saying but no failure, in one line without control characters. Default `process.emitWarning`,
   * each message once.
   */
  onWarning?: ((message: string, containerId: string) => void) | undefined
}

/**
 * Containers below one state root. Making one costs nothing; several of the same root, also in other processes, see the
 * same containers.
 *
 * @example
 * ```ts
 * const runtime = new Runtime()
 * await using container = await runtime.create('web-1', { bundle: './bundle' })
 * await container.start()
 * ```
 */
export class Runtime {
  /** Absolute path of the state root. */
  readonly root: string
  readonly #settings: RuntimeSettings
  #prepared = false

  constructor(options: RuntimeOptions = {}) {
    checkOptions(options, runtimeOptions)
    const { cgroupManager = 'cgroupfs', rootless, missingSecurityModule, store, onWarning } = options
    this.root = resolve(options.root ?? defaultRoot())
    let opened: Promise<Store> | undefined
    this.#settings = {
      root: this.root,
      cgroupManager,
      rootless,
      mayMissSecurityModule: missingSecurityModule === 'warn',
      store: () =>
        (opened ??= openStore(store)).catch((error: unknown) => {
          opened = undefined
          throw error
        }),
      images: new KnownImages(),
      warn: (message, containerId) => (onWarning ?? emitWarning)(visibleLine(message), containerId),
    }
  }

  /** Makes a container, up to the state `created`. Nothing is left behind where it fails. */
  async create(id: string, options: CreateOptions): Promise<Container> {
    checkId(id)
    checkOptions(options, createOptions)
    engine() // without the native package there is nothing to prepare
    try {
      if (!this.#prepared) prepareRoot(this.root)
      this.#prepared = true
      return await this.#create(id, options)
    } catch (error) {
      throw systemError(`cannot create container ${id}`, error, { phase: 'prepare', containerId: id })
    }
  }

  async #create(id: string, options: CreateOptions): Promise<Container> {
    try {
      return await createContainer(this.#settings, id, options)
    } catch (error) {
      // The id may be a leftover's that is not swept yet.
      const taken = error instanceof CaissonError && error.code === 'ERR_EXISTS'
      if (!taken || !(await reclaimContainer(this.root, id))) throw error
      return createContainer(this.#settings, id, options)
    }
  }

  /** Creates, starts, waits and deletes; see {@link ContainerProcess}. */
  run<const Options extends RunOptions = RunOptions>(
    source: Source,
    args?: readonly string[],
    options?: Options,
  ): ContainerProcess<OutputOf<Options>> {
    const { warn } = this.#settings
    return new ContainerProcess<OutputOf<Options>>(
      this,
      source,
      args,
      options === undefined ? {} : options,
      warn,
    )
  }

  /** A container of this root, of any process. Rejects with `ERR_NOT_FOUND`. */
  async get(id: string): Promise<Container> {
    return new Container(this.#settings, id, undefined, await readContainer(this.root, id))
  }

  /** The states of all containers of this root, sorted by id. One that cannot be read has the status `'damaged'`. */
  async list(): Promise<ContainerState[]> {
    return (await listContainers(this.root)).map(stateOf)
  }

  /** What this build can do, as the runtime specification's features document. */
  features(): Record<string, unknown> {
    return JSON.parse(addon().features()) as Record<string, unknown>
  }

  /** What `create` would do, as data; nothing is done. Rejects as `create` does for bad input. */
  async plan(bundle: string, options: SpecOptions & { id?: string } = {}): Promise<Record<string, unknown>> {
    checkArgument('bundle', bundle, isPath)
    checkOptions(options, { ...known, id: text })
    const { id = 'plan', ...specOptions } = options
    checkId(id)
    const source = await resolveSource({ bundle }, specOptions, {
      store: this.#settings.store,
      images: this.#settings.images,
      stateDirectory: join(this.root, id),
      rootless: isRootless(this.#settings.rootless),
      detached: false,
      signal: undefined,
      warn: () => {},
    })
    const { cgroupManager, rootless, mayMissSecurityModule } = this.#settings
    const plan = addon().planContainer({
      id,
      root: this.root,
      bundle: source.bundle,
      stdio: [-1, -1, -1],
      attached: false,
      pivot: true,
      newKeyring: true,
      preserveFds: 0,
      cgroupDisabled: cgroupManager === 'disabled',
      mayMissSecurityModule,
      ...(source.config === undefined ? {} : { config: source.config }),
      ...(rootless === undefined ? {} : { rootless }),
    })
    if (isNativeError(plan)) throw errorFrom(plan)
    return JSON.parse(plan) as Record<string, unknown>
  }
}
explainErrors(Runtime)

/** Loaded on first use: bundles need none. */
async function openStore(store: Store | string | undefined): Promise<Store> {
  if (typeof store === 'object') return store
  const { Store } = await import('../image/index.ts')
  return new Store({ root: store })
}

const warned = new Set<string>()

/** Says the same thing about one container only, as Node does with what is deprecated. */
function emitWarning(message: string, containerId: string): void {
  if (warned.has(message)) return
  if (warned.size === 100) warned.clear() // messages may hold paths: no memory for ever
  warned.add(message)
  process.emitWarning(`container ${containerId}: ${message}`, 'CaissonWarning')
}
