/** Changes of documents as JSON Merge Patch (RFC 7396): objects merge, `null` removes, everything else replaces. */
import { CaissonError } from '../../errors.ts'
import type { ImageConfig, ImageExecution } from '../../spec/index.ts'
import { formatJson } from '../../spec/json/index.ts'
import { parseConfig } from '../document.ts'

type PatchOf<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [name in keyof T]?: PatchOf<T[name]> | null }
    : T

/** Fields of an image configuration under their own names; `null` removes a field, or one label. */
export type ConfigPatch = PatchOf<Omit<ImageConfig, 'rootfs' | 'history' | 'config'>> & {
  config?: PatchOf<ImageExecution> | null
}

export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  // A Map, because a label may be named __proto__.
  const merged = new Map(isObject(target) ? Object.entries(target) : [])
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined) continue
    if (value === null) merged.delete(name)
    else merged.set(name, mergePatch(merged.get(name), value))
  }
  return Object.fromEntries(merged)
}

/** Applies the changes to the configuration and validates it. Throws `ERR_INVALID_OPTION`, `ERR_INVALID_IMAGE`. */
export async function patchConfig(config: ImageConfig, patch: ConfigPatch): Promise<ImageConfig> {
  for (const name of ['rootfs', 'history']) {
    if (name in patch) {
      throw new CaissonError(
        'ERR_INVALID_OPTION',
        `config.${name} follows from the layers and cannot be set`,
        {
          phase: 'validate',
        },
      )
    }
  }
  const merged = mergePatch(config, patch) as ImageConfig
  if (isObject(merged.config) && Object.keys(merged.config).length === 0) delete merged.config
  const checked = await parseConfig(formatJson(merged), 'the changed configuration')
  for (const entry of checked.config?.Env ?? []) {
    if (entry.indexOf('=') < 1) {
      throw new CaissonError(
        'ERR_INVALID_OPTION',
        `config.Env: invalid entry ${JSON.stringify(entry)}: expected NAME=value`,
        {
          phase: 'validate',
        },
      )
    }
  }
  return checked
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
