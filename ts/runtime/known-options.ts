/** The options of containers, each with what it takes. */
import { cwd, env, idMappings, image, kernelText } from '../image/options/parts.ts'
import {
  callback,
  either,
  flag,
  has,
  isObject,
  isText,
  list,
  needed,
  object,
  oneOf,
  path,
  signal,
  such,
  text,
  whole,
  type Check,
  type Known,
} from '../options.ts'
import { isBind, isData } from '../spec/rule/runtime/mount-options.ts'
import type { CreateOptions } from './lifecycle/create-options.ts'
import type { RunOptions } from './process/process.ts'
import type { RuntimeOptions } from './runtime.ts'
import type { SpecOptions, UserIds } from './source/spec-options.ts'
import { isInputStream } from './stdio/input.ts'

const size: Check = either(whole(0), text)
const id: Check = whole(0, 2 ** 32 - 2)
/** What Node's timers take: a longer time would be none at all. */
const milliseconds: Check = such(
  'milliseconds between 0 and 2147483647',
  (value) => typeof value === 'number' && value >= 0 && value < 2 ** 31,
)

/** One sentence for whatever comes in the place of the arguments, as that is where options are put by mistake. */
export const args: Check = {
  takes: 'a list of texts with the program first',
  issues(value, at) {
    const message = 'must be a list of texts with the program first; other options come after it'
    if (list(kernelText).issues(value, at).length > 0) return [{ path: at, message }]
    if ((value as unknown[]).length > 0) return []
    return [{ path: at, message: 'is empty; leave it out to run what the image or the configuration says' }]
  },
}

const mapping: Check = such('an id mapping', isObject)
const mountMembers: Check = object({
  destination: needed(text),
  type: text,
  source: text,
  options: list(such('a text', isText)),
  uidMappings: list(mapping),
  gidMappings: list(mapping),
})

/** A bind mount ignores options that it does not know: with a misspelt `ro` it would be writable. */
const mount: Check = {
  takes: 'a mount',
  issues(value, at) {
    if (!isObject(value)) return such(this.takes, isObject).issues(value, at)
    const wrong = mountMembers.issues(value, at)
    if (wrong.length > 0) return wrong
    const options = (value['options'] ?? []) as readonly string[]
    if (!isBind(options)) return []
    return options.flatMap((option, index) => {
      const message = `unknown option ${JSON.stringify(option)}: a bind mount would ignore it`
      return isData(option) ? [{ path: `${at}.options[${index}]`, message }] : []
    })
  },
}

/** Members of the profile are checked where it is compiled. */
const seccomp: Check = {
  takes: "'default', 'unconfined' or a profile as in linux.seccomp",
  issues(value, at) {
    if (value === 'default' || value === 'unconfined') return []
    if (!isObject(value)) return such(this.takes, isObject).issues(value, at)
    const { notify } = value
    return notify === undefined ? [] : callback.issues(notify, `${at}.notify`)
  },
}

export const specOptions: Known<SpecOptions> = {
  args,
  cwd,
  env,
  user: either(
    id,
    such("a user such as 1000, '1000:1000' or 'web:staff'", isText),
    object({ uid: needed(id), gid: id, additionalGids: list(id) } satisfies Known<UserIds>),
  ),
  hostname: kernelText,
  memory: size,
  cpus: such('a number from 0.01 up', (value) => Number.isFinite(value) && (value as number) >= 0.01),
  pids: whole(1),
  noNewPrivileges: flag,
  readonly: flag,
  mounts: list(mount),
  terminal: flag,
  seccomp,
  spec: callback,
}

const bundleSource: Check = object({ bundle: needed(path), config: path })
const rootfsSource: Check = object({ rootfs: needed(path) })
/** A bundle, a root file system, an image, its reference or `'host'`. */
export const source: Check = {
  takes: "an image reference, an opened image, { bundle }, { rootfs } or 'host'",
  issues(value, at) {
    if (isObject(value) && 'bundle' in value) return bundleSource.issues(value, at)
    if (isObject(value) && 'rootfs' in value) return rootfsSource.issues(value, at)
    const fits = isText(value) || image.issues(value, at).length === 0
    return such(this.takes, () => fits).issues(value, at)
  },
}

export const createOptions: Known<CreateOptions> = {
  ...specOptions,
  bundle: path,
  config: path,
  consoleSocket: path,
  detached: flag,
  idMappings,
  image: source,
  layering: oneOf('overlay', 'copy'),
  newKeyring: flag,
  parent: whole(1, 2 ** 31 - 1),
  pivot: flag,
  preserveFds: whole(0),
  rootfs: path,
  signal,
  // What may be connected is known where it is planned.
  stdio: such('what node:child_process takes', () => true),
  writable: oneOf('disk', 'tmpfs'),
  writableSize: size,
}

const { args: _, bundle, rootfs, image: __, ...shared } = createOptions
export const runOptions: Known<RunOptions> = {
  ...shared,
  id: text,
  input: either(
    text,
    such('bytes', (value) => value instanceof Uint8Array),
    such('a stream, an iterable or an async iterable of them', isInputStream),
  ),
  timeout: milliseconds,
  killSignal: such('a signal', (value) => typeof value === 'string' || typeof value === 'number'),
  forceKillAfterDelay: milliseconds,
  encoding: such(
    "an encoding of Node or 'buffer'",
    (value) => value === 'buffer' || (typeof value === 'string' && Buffer.isEncoding(value)),
  ),
  reject: flag,
  maxBuffer: such('bytes from 0 up', (value) => typeof value === 'number' && value >= 0),
  buffer: flag,
}

export const runtimeOptions: Known<RuntimeOptions> = {
  root: path,
  cgroupManager: oneOf('cgroupfs', 'disabled'),
  rootless: flag,
  missingSecurityModule: oneOf('error', 'warn'),
  store: either(
    path,
    such('a Store', (value) => has(value, 'prepare', 'containerDirectory')),
  ),
  onWarning: callback,
}

export const signalOption: { readonly signal: Check } = { signal }
