/** Reads the root file system of an image without unpacking it: as an archive, or one file of it. */
import { posix } from 'node:path'
import type { Readable } from 'node:stream'
import type { LayerProgress } from '../../native/layer.ts'
import { exportTo, pickTo, streamOf } from '../../native/write-layer.ts'
import { sourceDateEpoch } from '../build/epoch.ts'
import { layerBlobs, type ImageParts } from '../layer-blobs.ts'

export interface ExportOptions {
  /** Only this directory and its content, relative to it. */
  path?: string | undefined
  /** Upper limit of times in the archive, in seconds. */
  sourceDateEpoch?: number | undefined
  signal?: AbortSignal | undefined
  onProgress?: ((progress: LayerProgress) => void) | undefined
}

/** An uncompressed tar stream of the merged layers. It fails if the image is damaged, possibly half-way. */
export function exportRootfs(image: ImageParts, options: ExportOptions = {}): Readable {
  return streamOf((fd, signal) => exportRootfsTo(image, fd, { ...options, signal }), options.signal)
}

/** Like `exportRootfs`, to a descriptor. */
export async function exportRootfsTo(image: ImageParts, fd: number, options: ExportOptions): Promise<void> {
  const { path, sourceDateEpoch: epoch, signal, onProgress } = options
  await exportTo(
    fd,
    {
      layers: await layerBlobs(image),
      ...(path === undefined ? {} : { path: posix.join('/', path) }),
      ...(epoch === undefined ? {} : { epoch: sourceDateEpoch(epoch)! }),
    },
    { signal, onProgress, limits: image.limits },
  )
}

/** The content of one file. Links are followed inside the image. */
export function readFileOf(
  image: ImageParts,
  path: string,
  { signal }: { signal?: AbortSignal } = {},
): Readable {
  return streamOf((fd, stop) => readFileTo(image, path, fd, stop), signal)
}

export async function readFileTo(
  image: ImageParts,
  path: string,
  fd: number,
  signal?: AbortSignal,
): Promise<void> {
  await pickTo(fd, await layerBlobs(image), path, { signal, limits: image.limits })
}
