/** The image that a bundle was unpacked from, which `repack` and `commit` compare it with. */
import { join, resolve } from 'node:path'
import { replaceFile } from '../../image/layout/file.ts'
import { readSmallFile } from '../../image/source/small-file.ts'
import { CaissonError, type IdRange } from '../../index.ts'

export interface BundleRecord {
  /** Digest of the manifest. */
  digest: string
  /** Absolute path of the layout or archive, and its transport. */
  transport: string
  path: string
  rootless: boolean
  uidMap: IdRange[]
  gidMap: IdRange[]
  /** Whether links to directories were kept. */
  keepDirlinks?: boolean
}

const NAME = 'caisson.json'
const VERSION = 1

export async function writeRecord(bundle: string, record: BundleRecord): Promise<void> {
  const path = join(bundle, NAME)
  await replaceFile(path, `${JSON.stringify({ version: VERSION, ...record }, undefined, 2)}\n`, 0o600)
}

/** For a bundle unpacked by us or umoci. Throws `ERR_INVALID_BUNDLE`. */
export async function readRecord(bundle: string): Promise<BundleRecord> {
  const ours = await readJson(join(bundle, NAME))
  if (ours) {
    const { version, digest } = ours
    if (version === VERSION && typeof digest === 'string') return ours as unknown as BundleRecord
    throw unreadable(bundle, `${NAME} is of another version`)
  }
  const theirs = (await readJson(join(bundle, 'umoci.json'))) as UmociRecord | undefined
  const digest = theirs?.from_descriptor_path?.descriptor_walk?.at(-1)?.digest
  if (!digest) {
    throw unreadable(bundle, 'it does not say which image it was unpacked from (caisson.json or umoci.json)')
  }
  const { rootless = false, uid_mappings: uids, gid_mappings: gids } = theirs?.map_options ?? {}
  return { digest, transport: 'oci', path: '', rootless, uidMap: ranges(uids), gidMap: ranges(gids) }
}

/** COMPAT(umoci): its record in a bundle. */
interface UmociRecord {
  from_descriptor_path?: { descriptor_walk?: { digest?: string }[] }
  map_options?: { rootless?: boolean; uid_mappings?: UmociRange[] | null; gid_mappings?: UmociRange[] | null }
}

interface UmociRange {
  containerID: number
  hostID: number
  size: number
}

function ranges(maps: UmociRange[] | null | undefined): IdRange[] {
  return (maps ?? []).map(({ containerID, hostID, size }) => ({ container: containerID, host: hostID, size }))
}

async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  const text = await readSmallFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
  })
  if (text === undefined) return undefined
  try {
    return JSON.parse(text.toString('utf8')) as Record<string, unknown>
  } catch {
    throw unreadable(resolve(path, '..'), `${path} is not JSON`)
  }
}

function unreadable(bundle: string, why: string): CaissonError {
  return new CaissonError('ERR_INVALID_BUNDLE', `the bundle ${bundle} cannot be packed: ${why}`, {
    path: bundle,
    phase: 'validate',
    hint: 'unpack it with caisson image unpack',
  })
}
