/** Validates a bundle: config.json, and its root directory. */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { safeParseRuntimeSpec } from '../../spec/index.ts'
import { readSmallFile } from '../source/small-file.ts'
import type { Findings } from './report.ts'

export const CONFIG_FILE = 'config.json'

export async function validateBundle(findings: Findings, bundle: string): Promise<void> {
  const bytes = await readSmallFile(resolve(bundle, CONFIG_FILE))
  const spec = findings.parse(CONFIG_FILE, CONFIG_FILE, safeParseRuntimeSpec, bytes, { runnable: true })
  const path = spec?.root?.path
  if (path === undefined) return
  const root = await stat(resolve(bundle, path)).catch(() => undefined)
  if (root?.isDirectory()) return
  const message = `${JSON.stringify(path)} is not a directory of the bundle (config.md, "Root")`
  findings.documents.at(-1)?.errors.push({ path: 'root.path', message, kind: 'rule', found: path })
}
