/** Validates the content of a path: a bundle, a layout, an archive or a single document. */
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { called } from '../../boundary.ts'
import { CaissonError } from '../../errors.ts'
import { checkOptions } from '../../options.ts'
import { hostPath } from '../host-path.ts'
import { isCompressed } from '../media-type.ts'
import { Archive } from '../source/archive.ts'
import { LAYOUT_FILE } from '../source/layout-files.ts'
import { readSmallFile } from '../source/small-file.ts'
import { validateOptions } from '../options/known.ts'
import type { Find } from './files.ts'
import type { ValidationReport } from './report.ts'

export interface ValidateOptions {
  /** `strict` by default: what may be written. `lenient`: what is read. */
  mode?: 'strict' | 'lenient' | undefined
  /** The kind of a single file; derived from its content by default. The names are in docs/cli.md. */
  kind?: string | undefined
}

/**
 * Validates every document of a bundle, an image layout, an archive (OCI or `docker save`, uncompressed, gzip or zstd),
 * or one document. For images every blob is read, and its size and digest verified. Problems are in the result. Input
 * that cannot be validated throws: `ERR_INVALID_OPTION` for a missing path or an unknown kind, `ERR_INVALID_BUNDLE` for
 * a directory that is neither, `ERR_UNSUPPORTED_IMAGE` for any other archive, `ERR_LIMIT_EXCEEDED`.
 *
 * @example
 * ```ts
 * const { valid, documents } = await validate('./bundle')
 * for (const { file, errors } of documents) console.log(file, errors)
 * ```
 */
export function validate(path: string, options: ValidateOptions = {}): Promise<ValidationReport> {
  return called(validate, async () => {
    checkOptions(options, validateOptions)
    const absolute = hostPath(path, 'what is validated')
    const status = await stat(absolute).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT' && cause.code !== 'ENOTDIR') throw cause
      throw new CaissonError('ERR_INVALID_OPTION', `${absolute} does not exist`, { path: absolute, cause })
    })
    // Loaded here: a program that only runs containers does not need the schemas.
    const { Findings } = await import('./report.ts')
    const { KINDS, validateDocument } = await import('./document.ts')
    if (options.kind !== undefined && !KINDS.has(options.kind)) {
      const message = `unknown kind ${JSON.stringify(options.kind)}; there are ${[...KINDS.keys()].join(', ')}`
      throw new CaissonError('ERR_INVALID_OPTION', message, { phase: 'validate' })
    }
    const findings = new Findings(options.mode ?? 'strict')
    if (status.isDirectory()) {
      const { validateBundle, CONFIG_FILE } = await import('./bundle.ts')
      const { validateLayout } = await import('./layout.ts')
      if (await isFile(join(absolute, LAYOUT_FILE))) {
        await validateLayout(findings, 'oci', absolute, fileIn(absolute))
        return findings.report(path, 'layout')
      }
      if (await isFile(join(absolute, CONFIG_FILE))) {
        await validateBundle(findings, absolute)
        return findings.report(path, 'bundle')
      }
      const message = `${absolute} is neither a bundle nor an image layout: it has no config.json and no oci-layout`
      throw new CaissonError('ERR_INVALID_BUNDLE', message, { path: absolute, phase: 'validate' })
    }
    if (options.kind === undefined && (await isArchive(absolute))) {
      const { validateArchive } = await import('./archive.ts')
      const archive = await Archive.open(absolute)
      try {
        return findings.report(path, await validateArchive(findings, archive))
      } finally {
        await archive.close()
      }
    }
    validateDocument(findings, path, await readSmallFile(absolute), options.kind)
    return findings.report(path, 'document')
  })
}

function fileIn(root: string): Find {
  return async (name) => {
    const path = join(root, name)
    const status = await stat(path).catch(() => undefined)
    return status?.isFile() ? { path, offset: 0, size: status.size } : undefined
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false
}

/** Detects a compressed file, or the magic of tar, by the first bytes. */
async function isArchive(path: string): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(512), 0, 512, 0)
    const start = buffer.subarray(0, bytesRead)
    return isCompressed(start) || start.subarray(257, 262).toString('latin1') === 'ustar'
  } finally {
    await file.close()
  }
}
