// One process of the benchmark: `empty`, `spec` and `main` only load, `parse` prints its times in milliseconds.
const what = process.argv[2]
if (what === 'main') await import('../../dist/index.js')
if (what === 'spec') await import('../../dist/spec.js')
if (what === 'parse') {
  const { safeParseImageManifest, safeParseRuntimeSpec } = await import('../../dist/spec.js')
  const { configuration } = await import('./configuration.mjs')
  const text = JSON.stringify(configuration)
  const digest = `sha256:${'a'.repeat(64)}`
  const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: 32654 }
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 7023 },
    layers: Array.from({ length: 6 }, () => layer),
  })
  const time = (work) => {
    const start = performance.now()
    work()
    return performance.now() - start
  }
  const later = (work) => {
    const times = Array.from({ length: 1500 }, () => time(work)).sort((a, b) => a - b)
    return times[750]
  }
  const parse = () => {
    if (!safeParseRuntimeSpec(text).success) throw new Error('the configuration is valid')
  }
  const first = time(parse)
  const told = {
    first,
    warm: later(parse),
    parse: later(() => JSON.parse(text)),
    manifest: later(() => safeParseImageManifest(manifest)),
  }
  console.log(JSON.stringify(told))
}
