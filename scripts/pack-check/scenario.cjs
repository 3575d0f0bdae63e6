// What every consumer does with the package: an image, a container, a failure, both sub-paths. Neither `import` nor
// `require`, so that bundles in both formats show what caisson itself needs.
const assert = process.getBuiltinModule('node:assert/strict')
const { mkdtempSync, rmSync } = process.getBuiltinModule('node:fs')
const { tmpdir } = process.getBuiltinModule('node:os')
const { join } = process.getBuiltinModule('node:path')
const { text } = process.getBuiltinModule('node:stream/consumers')

module.exports = async function scenario(caisson, digest, spec) {
  const { CaissonError, Image, Runtime } = caisson
  const folder = mkdtempSync(join(tmpdir(), 'caisson-consumer-'))
  try {
    const layout = join(folder, 'layout')
    const image = await Image.fromHost({ layout, tag: 'host', programs: ['sh', 'echo', 'cat'] })
    const runtime = new Runtime({ root: join(folder, 'root'), store: join(folder, 'store') })
    const ran = await runtime.run(
      `oci:${layout}:host`,
      ['sh', '-c', 'cat; echo packed; echo err >&2; exit 3'],
      {
        input: 'in ',
        reject: false,
      },
    )
    assert.deepEqual([ran.stdout, ran.stderr, ran.exitCode], ['in packed\n', 'err\n', 3])

    const missing = await runtime.run(image, ['nosuch']).then(
      () => assert.fail('a program that does not exist ran'),
      (error) => error,
    )
    assert.equal(missing.code, 'ERR_EXEC_NOT_FOUND')
    assert.ok(missing instanceof CaissonError && missing instanceof Error)

    const typed = await runtime.run(image, ['sh', '-c', 'echo typed'], { terminal: true })
    assert.equal(typed.stdout, 'typed\r\n')
    assert.equal((await text(image.readFile('/bin/sh'))).slice(1, 4), 'ELF')
    assert.equal((await runtime.list()).length, 0)

    assert.ok(digest.isDigest(digest.digestString('packed')))
    assert.match(await digest.digestFile('/etc/passwd'), /^sha256:[0-9a-f]{64}$/)
    const { success, error } = spec.safeParseRuntimeSpec('{}')
    assert.equal(success, false)
    assert.ok(error instanceof CaissonError, 'the entry points share their error classes')
    assert.ok(error instanceof caisson.SpecError)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
