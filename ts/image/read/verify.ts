/** Verifies an image: every blob, every layer, every count. */
import { CaissonError, SpecError } from '../../errors.ts'
import { compareTrees } from '../../native/write-layer.ts'
import type { Descriptor } from '../../spec/index.ts'
import { layerBlobs, type ImageParts } from '../layer-blobs.ts'
import { readBlob } from '../source/read.ts'

/** A problem and its blob. */
export interface VerifyProblem {
  digest: string
  code: string
  message: string
}

export interface VerifyResult {
  digest: string
  problems: VerifyProblem[]
  /** Unusual, but not an error. */
  warnings: string[]
}

/** Reads every blob to its end, and every layer as if it were unpacked. Lists all problems, not only the first. */
export async function verifyImage(
  image: ImageParts,
  { signal }: { signal?: AbortSignal } = {},
): Promise<VerifyResult> {
  const { manifest, config, source } = image
  const problems: VerifyProblem[] = []
  for (const blob of [manifest.config, ...manifest.layers]) {
    signal?.throwIfAborted()
    try {
      for await (const _ of readBlob(source, blob)) signal?.throwIfAborted()
    } catch (error) {
      signal?.throwIfAborted()
      if (!isForeign(blob, error)) problems.push(problem(blob.digest, error))
    }
  }
  if (config && problems.length === 0) {
    try {
      const layers = await layerBlobs(image)
      await compareTrees({ before: { layers }, after: { layers: [] } }, { signal, limits: image.limits })
    } catch (error) {
      signal?.throwIfAborted()
      problems.push(problem(image.digest, error))
    }
  }
  return { digest: image.digest, problems, warnings: warningsOf(image) }
}

/** A layer with `urls` may be missing here. */
function isForeign({ urls }: Descriptor, error: unknown): boolean {
  return (urls?.length ?? 0) > 0 && error instanceof CaissonError && error.code === 'ERR_BLOB_NOT_FOUND'
}

function problem(digest: string, error: unknown): VerifyProblem {
  if (error instanceof CaissonError || error instanceof SpecError) {
    return { digest, code: error.code, message: error.message }
  }
  throw error
}

function warningsOf({ manifest, config }: ImageParts): string[] {
  const warnings: string[] = []
  const { history } = config ?? {}
  const filled = history?.filter((entry) => !entry.empty_layer).length
  if (filled !== undefined && filled > 0 && filled !== manifest.layers.length) {
    warnings.push(`history speaks of ${filled} layers, there are ${manifest.layers.length}`)
  }
  return warnings
}
