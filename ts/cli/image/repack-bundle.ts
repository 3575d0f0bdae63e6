/** Writes the changes of a bundle as a new layer on the image that it was unpacked from. */
import { join } from 'node:path'
import { CaissonError, Image, type Layout } from '../../index.ts'
import { hostPath } from '../../image/host-path.ts'
import { list, on, type Invocation } from '../command.ts'
import { readRecord, writeRecord } from './bundle-record.ts'
import { limitsOf } from './limits.ts'
import { compressionOf, historyOf, ownersOf } from './options.ts'
import { progress } from './progress.ts'

export async function repackBundle(
  { flags, context }: Invocation,
  bundlePath: string,
  target: { layout: Layout; tag: string | undefined; createdBy: string },
): Promise<Image> {
  const { layout, tag, createdBy } = target
  const history = historyOf(flags)
  const compression = compressionOf(flags)
  const given = ownersOf(flags)
  const limits = limitsOf(flags)
  const bundle = hostPath(bundlePath, 'the bundle')
  const record = await readRecord(bundle)
  const base = await Image.open(`oci:${layout.path}@${record.digest}`).catch((error: unknown) => {
    if (!(error instanceof CaissonError) || error.code !== 'ERR_IMAGE_NOT_FOUND') throw error
    return untagged(layout, record.digest)
  })
  const volumes = on(flags, 'no-mask-volumes') ? [] : Object.keys(base.config?.config?.Volumes ?? {})
  const mapped = given.uidMap.length > 0 || given.gidMap.length > 0
  using bar = progress('packing')
  const { image, layers } = await Image.buildWithResult({
    from: base,
    layout,
    tag,
    limits,
    ...compression,
    createdBy,
    onProgress: bar.update,
    layers: [
      {
        directory: join(bundle, 'rootfs'),
        mask: [...volumes, ...list(flags, 'mask-path')],
        uidMap: mapped ? given.uidMap : record.rootless ? [] : record.uidMap,
        gidMap: mapped ? given.gidMap : record.rootless ? [] : record.gidMap,
        rootless: given.rootless ?? record.rootless,
        keepDirlinks: record.keepDirlinks,
        history,
      },
    ],
  })
  for (const warning of layers[0]!.warnings) context.log.warning(warning)
  if (!layers[0]!.descriptor) context.log.warning('nothing has changed: no layer was added')
  if (on(flags, 'refresh-bundle'))
    await writeRecord(bundle, { ...record, digest: image.digest, path: layout.path })
  return image
}

/** An image that lost its tag exists until garbage collection. */
async function untagged(layout: Layout, digest: string): Promise<Image> {
  const range = await layout.locate(digest)
  if (!range) {
    throw new CaissonError(
      'ERR_IMAGE_NOT_FOUND',
      `${layout.path} does not have ${digest}, from which the bundle was unpacked`,
      {
        path: layout.path,
        phase: 'resolve',
      },
    )
  }
  return Image.from(layout, {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest,
    size: range.size,
  })
}
