// The image of the unpack benchmark: files of this host's /usr, at least 500 MB and 10,000 entries, as one gzip layer.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const MEGABYTES = 590
const LARGEST_FILE = 20 << 20

async function digestOf(path) {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk)
  return `sha256:${hash.digest('hex')}`
}

/** Writes the layout into `folder`, with the archive beside it, and says what it holds. */
export async function makeImage(folder) {
  const blobs = join(folder, 'images/blobs/sha256')
  mkdirSync(blobs, { recursive: true })
  const tar = join(folder, 'layer.tar')
  // Small files first by path, until there is enough: the same on the same host.
  const script = `
    cd /usr && find bin lib share -xdev \\( -type f -size -${LARGEST_FILE}c -o -type l \\) -printf '%s %p\\n' | LC_ALL=C sort -k2 |
      awk '{ total += $1; if (total > ${MEGABYTES}e6) exit; sub(/^[0-9]+ /, ""); print }' > '${folder}/list' &&
    tar --no-recursion --numeric-owner -cf '${tar}' -T '${folder}/list' && gzip -6 -n -k '${tar}'`
  const { status, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`the image could not be made: ${stderr}`)
  const put = (document, mediaType) => {
    const text = JSON.stringify(document)
    const digest = createHash('sha256').update(text).digest('hex')
    writeFileSync(join(blobs, digest), text)
    return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(text) }
  }
  const digest = await digestOf(`${tar}.gz`)
  const blob = join(blobs, digest.slice(7))
  renameSync(`${tar}.gz`, blob)
  const architecture = { x64: 'amd64' }[process.arch] ?? process.arch
  const rootfs = { type: 'layers', diff_ids: [await digestOf(tar)] }
  const config = put(
    { architecture, os: 'linux', config: { Cmd: ['sh'] }, rootfs },
    'application/vnd.oci.image.config.v1+json',
  )
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const layer = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest,
    size: statSync(blob).size,
  }
  const manifest = put({ schemaVersion: 2, mediaType, config, layers: [layer] }, mediaType)
  const annotations = { 'org.opencontainers.image.ref.name': 'bench' }
  writeFileSync(join(folder, 'images/oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(
    join(folder, 'images/index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  )
  return { tar, blob, bytes: statSync(tar).size, compressed: layer.size }
}
