/** A manifest together with its configuration. */
import type { SpecIssue } from '../../../errors.ts'
import type { ImageConfig, ImageManifest } from '../../image/index.ts'
import { isConfigType, layerCompression } from '../../media-type.ts'
import { show } from '../../show.ts'

/** Why the two are not one image that can be unpacked; empty if they are. Paths are those of the manifest. */
export function imageProblems(manifest: ImageManifest, config: ImageConfig): SpecIssue[] {
  const issues: SpecIssue[] = []
  const { mediaType } = manifest.config
  if (!isConfigType(mediaType)) {
    const message = `${show(mediaType)} is not an image configuration: this is an artifact`
    issues.push({ path: 'config.mediaType', message, kind: 'rule' })
  }
  for (const [index, layer] of manifest.layers.entries()) {
    if (layerCompression(layer.mediaType) !== undefined) continue
    const message = `${show(layer.mediaType)} is not a file system layer`
    issues.push({ path: `layers[${index}].mediaType`, message, kind: 'rule' })
  }
  const [layers, ids] = [manifest.layers.length, config.rootfs.diff_ids.length]
  if (layers !== ids) {
    const message = `has ${layers} layers, but the configuration has ${ids} diff_ids`
    issues.push({ path: 'layers', message, kind: 'rule', found: `${layers}`, allowed: `${ids}` })
  }
  return issues
}
