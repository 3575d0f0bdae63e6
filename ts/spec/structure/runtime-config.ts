/** Structure of config.json, as in the JSON schemas of the runtime specification. */
import type { Hook, Hooks, Mount, Root, RuntimeSpec } from '../runtime/index.ts'
import { HOOKS } from '../runtime/names.ts'
import {
  list,
  object,
  optional,
  optionalFlag,
  optionalText,
  optionalTextMap,
  optionalTexts,
  section,
  text,
  whole,
  type Schema,
} from './leaf.ts'
import { linux, optionalMappings } from './linux.ts'
import { freebsd, solaris, vm, windows, zos } from './platforms.ts'
import { process } from './process.ts'

export function runtimeConfig(): Schema<RuntimeSpec> {
  return object<RuntimeSpec>({
    ociVersion: text,
    root: optional(object<Root>({ path: text, readonly: optionalFlag })),
    mounts: optional(
      list(
        object<Mount>({
          destination: text,
          type: optionalText,
          source: optionalText,
          options: optionalTexts,
          uidMappings: optionalMappings(),
          gidMappings: optionalMappings(),
        }),
      ),
    ),
    process: section(process),
    hostname: optionalText,
    domainname: optionalText,
    hooks: section(hooks),
    annotations: optionalTextMap,
    linux: section(linux),
    solaris: section(solaris),
    windows: section(windows),
    vm: section(vm),
    zos: section(zos),
    freebsd: section(freebsd),
  })
}

function hooks(): Schema<Hooks> {
  const hook = object<Hook>({
    path: text,
    args: optionalTexts,
    env: optionalTexts,
    timeout: optional(whole(1, Number.MAX_SAFE_INTEGER)),
  })
  const hooks = optional(list(hook))
  const lists = Object.fromEntries(HOOKS.map((name) => [name, hooks]))
  return object<Hooks>(lists as Record<(typeof HOOKS)[number], typeof hooks>)
}
