/** Making a container: source, native side, hooks of the runtime; undone as a whole where a part fails. */
import { join } from 'node:path'
import { CaissonError, SpecError } from '../../errors.ts'
import type { CreateRequest, NativeCreated } from '../../native/engine.ts'
import { engine } from '../../native/engine.ts'
import type { Store } from '../../image/index.ts'
import { Container } from './container.ts'
import type { CreateOptions } from './create-options.ts'
import { checkId } from '../state/id.ts'
import type { KnownImages } from '../source/known-images.ts'
import { checkPreserved } from '../stdio/preserved-descriptors.ts'
import { isRootless } from '../rights.ts'
import { asOptionIssues } from '../source/option-issues.ts'
import { resolveSource, type Resolved, type Source } from '../source/source.ts'
import { writableLayer } from '../state/state.ts'
import { planStdio, type StdioPlan } from '../stdio/stdio.ts'
import { parentOf } from './parent.ts'
import { CallerStreams } from '../stdio/caller-streams.ts'
import { checkNotify, notifyOf } from '../system-call/option.ts'

/** What a Runtime says about all its containers. */
export interface RuntimeSettings {
  /** Absolute. */
  root: string
  cgroupManager: 'cgroupfs' | 'disabled'
  rootless: boolean | undefined
  mayMissSecurityModule: boolean
  store: () => Promise<Store>
  images: KnownImages
  warn: (message: string, containerId: string) => void
}

/** Rejects with what went wrong, after everything was undone. */
export async function createContainer(
  settings: RuntimeSettings,
  id: string,
  options: CreateOptions,
): Promise<Container> {
  checkId(id)
  const { signal } = options
  signal?.throwIfAborted()
  const stdio = planStdio(options.stdio)
  checkPreserved(options.preserveFds ?? 0)
  checkNotify(options)
  const given = new CallerStreams(stdio.connect, (name, cause) =>
    settings.warn(`the stream for ${name} failed: ${cause.message}`, id),
  )
  try {
    return await make(settings, id, options, stdio, given)
  } catch (error) {
    given.close()
    throw error
  }
}

async function make(
  settings: RuntimeSettings,
  id: string,
  options: CreateOptions,
  stdio: StdioPlan,
  given: CallerStreams,
): Promise<Container> {
  const { signal } = options
  const parent = parentOf(options.parent, options.detached === true)
  let resolved = await resolveSource(sourceOf(options), options, {
    store: settings.store,
    images: settings.images,
    stateDirectory: join(settings.root, id),
    rootless: isRootless(settings.rootless),
    detached: options.detached === true,
    signal,
    warn: (message) => settings.warn(message, id),
  })
  let container: Container
  try {
    const attempt = (): Promise<NativeCreated> =>
      createNatively(requestOf(settings, id, resolved, options, stdio.numbers), signal)
    let created: NativeCreated
    try {
      created = await attempt()
    } catch (error) {
      const failed = error instanceof CaissonError && error.code === 'ERR_OVERLAY_UNAVAILABLE'
      const other = failed ? await resolved.withoutOverlay?.(error) : undefined
      if (!other) throw asOptionIssues(error, resolved.config, options)
      resolved = other
      created = await attempt()
    }
    for (const warning of created.warnings) settings.warn(warning, id)
    container = new Container(settings, id, {
      created,
      detached: options.detached === true,
      dispose: resolved.dispose,
      writableLayer: writableLayer(resolved),
      image: resolved.image,
      given,
      parent,
      notify: notifyOf(options),
    })
  } catch (error) {
    await resolved.dispose().catch((cause: Error) => settings.warn(cause.message, id))
    throw error
  }
  if (signal?.aborted) {
    await container.delete({ force: true }).catch((cause: Error) => settings.warn(cause.message, id))
    throw signal.reason
  }
  return container
}

function sourceOf({ bundle, config, rootfs, image }: CreateOptions): Source {
  const given = [bundle, rootfs, image].filter((source) => source !== undefined)
  if (given.length !== 1) {
    throw new SpecError('ERR_INVALID_OPTION', 'options', [
      { path: '', message: 'exactly one of bundle, rootfs and image says what the container is made from' },
    ])
  }
  if (config !== undefined && bundle === undefined) {
    const message = 'is for bundles: what else a container is made from has a configuration of its own'
    throw new SpecError('ERR_INVALID_OPTION', 'options', [{ path: 'config', message }])
  }
  if (bundle !== undefined) return { bundle, config }
  return rootfs === undefined ? image! : { rootfs }
}

function requestOf(
  settings: RuntimeSettings,
  id: string,
  { bundle, config, overlay, image, directory }: Resolved,
  options: CreateOptions,
  stdio: number[],
): CreateRequest {
  return {
    id,
    root: settings.root,
    bundle,
    stdio,
    attached: options.detached !== true,
    pivot: options.pivot ?? true,
    newKeyring: options.newKeyring ?? true,
    preserveFds: options.preserveFds ?? 0,
    cgroupDisabled: settings.cgroupManager === 'disabled',
    mayMissSecurityModule: settings.mayMissSecurityModule,
    ...(config === undefined ? {} : { config }),
    ...(overlay === undefined ? {} : { overlay }),
    ...(image === undefined ? {} : { image }),
    ...(directory === undefined ? {} : { directory }),
    ...(notifyOf(options) === undefined ? {} : { answersSystemCalls: true }),
    ...(settings.rootless === undefined ? {} : { rootless: settings.rootless }),
    ...(options.consoleSocket === undefined ? {} : { consoleSocket: options.consoleSocket }),
  }
}

async function createNatively(
  request: CreateRequest,
  signal: AbortSignal | undefined,
): Promise<NativeCreated> {
  try {
    return await engine().create(request, signal)
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    throw error
  }
}
