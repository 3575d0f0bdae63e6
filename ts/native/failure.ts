/** Converts native failures, which are data, to the error classes of the package. */
import { CaissonError, SpecError, type ErrorCode, type Phase } from '../errors.ts'
import type { NativeError } from './binding.d.ts'

/** The error to throw or reject with. */
export function errorFrom(native: NativeError, containerId?: string): CaissonError {
  const { code, message, phase, syscall, errno, path, hint, issues } = native
  const details = { phase: phase as Phase | undefined, containerId, syscall, errno, path, hint }
  if (issues && (code === 'ERR_INVALID_SPEC' || code === 'ERR_UNSUPPORTED_SPEC')) {
    return new SpecError(code, 'config.json', issues, details)
  }
  return new CaissonError(code as ErrorCode, message, details)
}

/** Whether a synchronous call of the addon returned a failure. */
export function isNativeError(value: unknown): value is NativeError {
  return typeof value === 'object' && value !== null && 'code' in value && 'message' in value
}
