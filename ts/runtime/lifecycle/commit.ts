/** A new image from what a container has changed. */
import { CaissonError } from '../../errors.ts'
import type {
  BuildOptions,
  HistoryOptions,
  IdRange,
  Image,
  LayerOptions,
  TreeReading,
} from '../../image/index.ts'
import { buildOptions } from '../../image/options/known.ts'
import { treeReading } from '../../image/options/layer.ts'
import { checkOptions, type Known } from '../../options.ts'
import type { IdMapping, RuntimeSpec } from '../../spec/index.ts'
import { readContainerConfig, type ContainerDocument } from '../../native/state.ts'
import { processRights } from '../../native/rights.ts'
import { writableLayer } from '../state/state.ts'

/** Where the image goes and what it says, as with `Image.build`. */
export interface CommitOptions
  extends
    Omit<BuildOptions, 'layers' | 'platform' | 'history'>,
    Pick<TreeReading, 'uidMap' | 'gidMap' | 'rootless'> {
  /** Paths in which changes do not count. */
  mask?: readonly string[] | undefined
  /** What history says of the new layer. */
  history?: HistoryOptions | false | undefined
}

const { layers: _, platform: __, from: ___, ...build } = buildOptions
const { uidMap, gidMap, rootless, exclude: mask } = treeReading
const commitOptions: Known<CommitOptions> = { ...build, uidMap, gidMap, rootless, mask }

/** Rejects with `ERR_INVALID_STATE`, `ERR_IMAGE_NOT_FOUND` and what building rejects with. */
export async function commitContainer(
  root: string,
  id: string,
  state: ContainerDocument,
  options: CommitOptions,
  warn: (message: string) => void,
): Promise<Image> {
  const { image: origin, overlay } = state
  checkOptions(options, commitOptions)
  if (!origin) throw refused(id, 'was not made from an image', 'pack its bundle: caisson image repack')
  if (overlay?.tmpfs) {
    throw refused(
      id,
      'keeps what it writes in memory',
      "create it with writable: 'disk' to make images of it",
    )
  }
  const known = ownersOf(state, await readContainerConfig(root, id))
  const isGiven = [options.uidMap, options.gidMap].some((map) => map !== undefined && map.length > 0)
  const { mask, uidMap, gidMap, rootless, history, ...build } = {
    ...options,
    ...(isGiven ? {} : { ...known, rootless: options.rootless ?? known.rootless }),
  }
  const [{ Image, Layout }, { openOrigin }] = await Promise.all([
    import('../../image/index.ts'),
    import('../../image/origin.ts'),
  ])
  const layout = typeof options.layout === 'string' ? await Layout.create(options.layout) : options.layout
  const stores = overlay ? [await Layout.open(overlay.store)] : []
  await using base = await openOrigin(origin, [layout, ...stores])
  const upper = writableLayer(state)
  const reading = { uidMap, gidMap, rootless, history }
  const layer: LayerOptions =
    upper === undefined ? { directory: state.rootfs, mask, ...reading } : { upper, exclude: mask, ...reading }
  const { image, layers } = await Image.buildWithResult({ ...build, layout, from: base, layers: [layer] })
  for (const warning of layers[0]!.warnings) warn(warning)
  if (!layers[0]!.descriptor) warn('nothing has changed: no layer was added')
  return image
}

/**
 * Host ids in the files of a container with a user namespace. Where root mounts an overlay they are the image's; with
 * the caller alone as root the files say nothing, and owners stay what they were.
 */
function ownersOf(
  { overlay }: ContainerDocument,
  config: string,
): Pick<TreeReading, 'uidMap' | 'gidMap' | 'rootless'> {
  const { administersHost, changesOwners } = processRights()
  if (administersHost && overlay) return {}
  const { linux } = JSON.parse(config) as RuntimeSpec
  const ranges = (list: readonly IdMapping[] | undefined | null): IdRange[] =>
    (list ?? []).map(({ containerID, hostID, size }) => ({ container: containerID, host: hostID, size }))
  const [uidMap, gidMap] = [ranges(linux?.uidMappings), ranges(linux?.gidMappings)]
  if (!changesOwners && uidMap.length < 2) return {}
  return { uidMap, gidMap, rootless: false }
}

function refused(containerId: string, why: string, hint: string): CaissonError {
  const message = `container ${containerId} ${why}: there is nothing to make a layer of`
  return new CaissonError('ERR_INVALID_STATE', message, { phase: 'write', containerId, hint })
}
