/** An image of the host's own programs: no network, no other tool. */
import { rename, rm } from 'node:fs/promises'
import { CaissonError } from '../errors.ts'
import { packHostLayer } from '../native/layer.ts'
import type { Descriptor } from '../spec/index.ts'
import { Layout } from './layout.ts'
import { MEDIA_TYPE } from './media-type.ts'
import { hostPlatform } from './platform.ts'
import { isTag } from './reference.ts'

export interface FromHostOptions {
  /** Layout directory, made if missing. */
  layout: string
  /** Name in the layout; default `latest`. */
  tag?: string | undefined
  /** Names on the search path, or absolute paths. Default: a shell and a handful of tools. */
  programs?: readonly string[] | undefined
  /** What the image runs by default; `['/bin/sh']`. */
  command?: readonly string[] | undefined
  signal?: AbortSignal | undefined
}

const PROGRAMS = [
  'sh',
  'cat',
  'echo',
  'env',
  'false',
  'head',
  'hostname',
  'id',
  'ls',
  'sleep',
  'true',
  'uname',
]
const SEARCH = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin']

/** Writes the image and returns the descriptor of its manifest. */
export async function writeHostImage(
  options: FromHostOptions,
): Promise<{ layout: Layout; manifest: Descriptor }> {
  const { tag = 'latest', programs = PROGRAMS, command = ['/bin/sh'], signal } = options
  if (!isTag(tag)) {
    throw new CaissonError('ERR_INVALID_OPTION', `tag ${JSON.stringify(tag)} is not valid`, {
      phase: 'validate',
    })
  }
  const layout = await Layout.create(options.layout)
  using _ = await layout.protect(signal)
  const epoch = sourceDateEpoch()
  const output = layout.temporaryBlobPath()
  const layer = await packHostLayer(
    { programs: [...programs], search: SEARCH, output, mtime: epoch },
    { signal },
  )
  try {
    await rename(output, layout.blobPath(layer.digest))
  } catch (error) {
    await rm(output, { force: true })
    throw error
  }
  const created = `${new Date(epoch * 1000).toISOString().slice(0, 19)}Z`
  const { os, architecture } = hostPlatform()
  const config = await layout.writeBlob(
    JSON.stringify({
      created,
      architecture,
      os,
      config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: command },
      rootfs: { type: 'layers', diff_ids: [layer.diffId] },
      history: [{ created, created_by: `caisson from host: ${programs.join(' ')}` }],
    }),
    MEDIA_TYPE.config,
  )
  const layers = [{ mediaType: MEDIA_TYPE.layerGzip, digest: layer.digest, size: layer.size }]
  const manifest = await layout.writeBlob(
    JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config, layers }),
    MEDIA_TYPE.manifest,
  )
  const described = { ...manifest, platform: { architecture, os } }
  await layout.tag(described, tag)
  return { layout, manifest: described }
}

/** Seconds; 0 where nothing is said, so that the same programs give the same image. */
function sourceDateEpoch(): number {
  const text = process.env['SOURCE_DATE_EPOCH']
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : 0
}
