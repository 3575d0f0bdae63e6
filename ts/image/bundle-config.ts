/** config.json for an image, with or without an unpacked root file system. */
import { resolve } from 'node:path'
import { CaissonError } from '../errors.ts'
import { lookUpUser } from '../native/layer.ts'
import { processRights } from '../native/rights.ts'
import type { ImageConfig, RuntimeSpec } from '../spec/index.ts'
import { resolveIdMappings, type IdMappingsOption } from './id-mappings.ts'
import { toRuntimeConfig, type ResolvedUser, type RuntimeConfigOptions } from './runtime-config.ts'

export interface BundleConfigOptions extends Omit<RuntimeConfigOptions, 'idMappings'> {
  /**
   * The root file system to look up users and groups in. Without it a user name is an error, and a uid has no
   * supplementary groups.
   */
  rootfs?: string | undefined
  idMappings?: IdMappingsOption | undefined
}

/** Throws like `unpack` for the configuration, and `ERR_INVALID_OPTION` if a user needs a root file system. */
export function bundleConfig(config: ImageConfig, { rootfs, ...options }: BundleConfigOptions): RuntimeSpec {
  const rootless = options.rootless ?? processRights().needsUserNamespace
  const idMappings = options.idMappings && resolveIdMappings(options.idMappings)
  const lookUp = (user: string): ResolvedUser => {
    if (rootfs !== undefined) return lookUpUser([resolve(rootfs)], user)
    if (/^[-+\d:]*$/.test(user)) return lookUpUser([], user)
    const message = `the user ${JSON.stringify(user)} can only be looked up in a root file system: none is given (rootfs)`
    throw new CaissonError('ERR_INVALID_OPTION', message, { phase: 'validate' })
  }
  return toRuntimeConfig(config, { ...options, rootless, idMappings }, lookUp)
}
