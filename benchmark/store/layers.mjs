// An image of four gzip layers of about the same size: files of this host's /usr, dealt out in turn.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const MEGABYTES = 60
const sha256 = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** Writes the layout, tagged `bench`; returns the bytes of one layer. */
export function makeFourLayers(folder) {
  const blobs = join(folder, 'blobs/sha256')
  mkdirSync(blobs, { recursive: true })
  const put = (bytes, mediaType) => {
    const digest = sha256(bytes)
    writeFileSync(join(blobs, digest.slice(7)), bytes)
    return { mediaType, digest, size: Buffer.byteLength(bytes) }
  }
  const layers = []
  const diffIds = []
  let size = 0
  for (let number = 0; number < 4; number++) {
    const tar = join(folder, `${number}.tar`)
    const script = `
      cd /usr && find bin lib share -xdev -type f -size -4096k -printf '%s %p\\n' | LC_ALL=C sort -k2 |
        awk 'NR % 4 == ${number} { total += $1; if (total > ${MEGABYTES}e6) exit; sub(/^[0-9]+ /, ""); print }' > '${folder}/list' &&
      tar --no-recursion --numeric-owner -cf '${tar}' -T '${folder}/list' && gzip -6 -n -k '${tar}'`
    const { status, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`the layers could not be made: ${stderr}`)
    diffIds.push(sha256(readFileSync(tar)))
    size = statSync(tar).size
    layers.push(put(readFileSync(`${tar}.gz`), 'application/vnd.oci.image.layer.v1.tar+gzip'))
  }
  const architecture = { x64: 'amd64' }[process.arch] ?? process.arch
  const config = put(
    JSON.stringify({ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } }),
    'application/vnd.oci.image.config.v1+json',
  )
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = put(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }), mediaType)
  const annotations = { 'org.opencontainers.image.ref.name': 'bench' }
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  )
  return size
}
