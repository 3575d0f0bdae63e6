/** Archives and layouts made byte by byte, so that tests can contain what no honest tool would write. */
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { removeTree } from '../../ts/native/layer.ts'

export interface TestEntry {
  name: string
  /** Type flag; default a file, or a directory where the name ends in a slash. */
  type?: string
  content?: string | Uint8Array
  link?: string
  mode?: number
  uid?: number
  gid?: number
  mtime?: number
  major?: number
  minor?: number
  /** Overrides the size field. */
  size?: number
  /** PAX records put before the entry. */
  pax?: Record<string, string>
}

const BLOCK = 512

function padded(content: Uint8Array): Uint8Array {
  return Buffer.concat([content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)])
}

/** One header block and the padded content. */
export function rawEntry(entry: TestEntry): Buffer {
  const content =
    typeof entry.content === 'string' ? Buffer.from(entry.content) : (entry.content ?? Buffer.alloc(0))
  const type = entry.type ?? (entry.name.endsWith('/') ? '5' : '0')
  const header = Buffer.alloc(BLOCK)
  const octal = (value: number, offset: number, length: number): void => {
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1')
  }
  header.write(entry.name, 0, 100, 'utf8')
  octal(entry.mode ?? (type === '5' ? 0o755 : 0o644), 100, 8)
  octal(entry.uid ?? 0, 108, 8)
  octal(entry.gid ?? 0, 116, 8)
  octal(entry.size ?? content.length, 124, 12)
  octal(entry.mtime ?? 1_000_000_000, 136, 12)
  header.write(type, 156, 'latin1')
  header.write(entry.link ?? '', 157, 100, 'utf8')
  header.write('ustar\x0000', 257, 'latin1')
  octal(entry.major ?? 0, 329, 8)
  octal(entry.minor ?? 0, 337, 8)
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return Buffer.concat([header, padded(content)])
}

/** The body of a PAX header. */
export function paxRecords(records: Record<string, string>): string {
  return Object.entries(records)
    .map(([key, value]) => {
      const rest = Buffer.byteLength(` ${key}=${value}\n`)
      let length = rest + 1
      while (rest + String(length).length !== length) length = rest + String(length).length
      return `${length} ${key}=${value}\n`
    })
    .join('')
}

/** A complete archive. */
export function tar(entries: readonly (TestEntry | Buffer)[]): Buffer {
  const parts = entries.map((entry) => {
    if (Buffer.isBuffer(entry)) return entry
    const body = rawEntry(entry)
    if (!entry.pax) return body
    return Buffer.concat([rawEntry({ name: 'pax', type: 'x', content: paxRecords(entry.pax) }), body])
  })
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)])
}

export function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** A blob with its media type; the diffID is that of `tar` unless said otherwise. */
export interface TestLayer {
  tar: Buffer
  blob?: Buffer
  mediaType?: string
  diffId?: string
}

export interface TestLayoutOptions {
  config?: object
  /** Last chance to change the manifest before its digest is taken. */
  manifest?: (manifest: { layers: { digest: string; size: number }[]; [key: string]: unknown }) => void
  platform?: object
  tag?: string
}

/** Writes a layout with one image, tagged `test`. */
export function writeLayout(
  path: string,
  layers: readonly (TestLayer | Buffer)[],
  options: TestLayoutOptions = {},
): void {
  mkdirSync(join(path, 'blobs/sha256'), { recursive: true })
  writeFileSync(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  const put = (
    bytes: Uint8Array | string,
    mediaType: string,
  ): { mediaType: string; digest: string; size: number } => {
    const digest = sha256(bytes)
    writeFileSync(join(path, 'blobs/sha256', digest.slice(7)), bytes)
    return { mediaType, digest, size: Buffer.byteLength(bytes as Uint8Array) }
  }
  const full = layers.map((layer): TestLayer => (Buffer.isBuffer(layer) ? { tar: layer } : layer))
  const config = put(
    JSON.stringify({
      architecture: { x64: 'amd64' }[process.arch as string] ?? process.arch,
      os: 'linux',
      config: { Cmd: ['/bin/sh'] },
      rootfs: { type: 'layers', diff_ids: full.map((layer) => layer.diffId ?? sha256(layer.tar)) },
      ...options.config,
    }),
    'application/vnd.oci.image.config.v1+json',
  )
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers: full.map((layer) =>
      put(
        layer.blob ?? gzipSync(layer.tar),
        layer.mediaType ?? 'application/vnd.oci.image.layer.v1.tar+gzip',
      ),
    ),
  }
  options.manifest?.(manifest)
  const descriptor = put(JSON.stringify(manifest), manifest.mediaType)
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor,
        ...(options.platform ? { platform: options.platform } : {}),
        annotations: { 'org.opencontainers.image.ref.name': options.tag ?? 'test' },
      },
    ],
  }
  writeFileSync(join(path, 'index.json'), JSON.stringify(index))
}

/** Files of this process that have no name (any more): private copies of a compressed archive or a directory. */
export function unnamed(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /(caisson-.*|\/#\d+ )\(deleted\)$/.test(readlinkSync(`/proc/self/fd/${fd}`))
    } catch {
      return false
    }
  }).length
}

/** A directory that goes when the test does. */
export function scratch(t: { teardown: (clean: () => Promise<void>) => void }): string {
  const path = mkdtempSync(join(tmpdir(), 'caisson-image-'))
  t.teardown(() => removeTree(path))
  return path
}
