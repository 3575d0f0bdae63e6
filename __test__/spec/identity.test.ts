/** ChainIDs, media types, reference names and canonical writing. */
import { createHash } from 'node:crypto'
import test from 'ava'
import {
  chainId,
  chainIds,
  encodeCanonical,
  isMediaType,
  isNonDistributable,
  isRefName,
  layerCompression,
  MEDIA_TYPE,
  ociMediaType,
  parseImageManifest,
} from '../../ts/spec/index.ts'
import { manifestBase } from './base.ts'
import fc from '../fixtures/property.ts'

const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`

test('ChainIDs: the identity tests of the image specification', (t) => {
  t.is(chainId([]), undefined)
  t.deepEqual(chainIds([]), [])
  t.deepEqual(chainIds(['sha256:a']), ['sha256:a'])
  const two = sha256('sha256:a sha256:b')
  t.deepEqual(chainIds(['sha256:a', 'sha256:b']), ['sha256:a', two])
  t.is(chainId(['sha256:a', 'sha256:b', 'sha256:c']), sha256(`${two} sha256:c`))
})

const layers: [type: string, compression: string | undefined, foreign: boolean][] = [
  ['application/vnd.oci.image.layer.v1.tar', 'none', false],
  ['application/vnd.oci.image.layer.v1.tar+gzip', 'gzip', false],
  ['application/vnd.oci.image.layer.v1.tar+zstd', 'zstd', false],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', 'gzip', true],
  ['application/vnd.docker.image.rootfs.diff.tar', 'none', false],
  ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'gzip', false],
  ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', 'gzip', true],
  ['application/vnd.oci.image.layer.v1.tar+lz4', undefined, false],
  ['text/plain', undefined, false],
]
for (const [type, compression, foreign] of layers) {
  test(`layer type ${type}`, (t) => {
    t.is(layerCompression(type), compression as never)
    t.is(isNonDistributable(type), foreign)
    t.true(isMediaType(type))
  })
}

test('media types: the grammar of RFC 6838', (t) => {
  t.true(isMediaType(`${'a'.repeat(127)}/${'b'.repeat(127)}`))
  for (const text of [
    '',
    'text',
    'text/',
    '/plain',
    'text/plain; charset=utf-8',
    'te xt/a',
    '.a/b',
    `${'a'.repeat(128)}/b`,
    'a/b/c',
  ]) {
    t.false(isMediaType(text), text)
  }
})

test("Docker's media types have OCI counterparts, all others are themselves", (t) => {
  t.is(ociMediaType(MEDIA_TYPE.dockerManifest), MEDIA_TYPE.manifest)
  t.is(ociMediaType(MEDIA_TYPE.dockerManifestList), MEDIA_TYPE.index)
  t.is(ociMediaType(MEDIA_TYPE.dockerConfig), MEDIA_TYPE.config)
  t.is(ociMediaType(MEDIA_TYPE.dockerLayerGzip), MEDIA_TYPE.layerGzip)
  for (const type of [MEDIA_TYPE.layer, 'text/plain', 'constructor']) t.is(ociMediaType(type), type)
})

test('reference names: the grammar of annotations.md', (t) => {
  for (const name of ['v1.0', 'a', 'app/v1', 'a-b_c.d:e@f+g', 'a--b', 'registry.example.com/x/y:1@2'])
    t.true(isRefName(name), name)
  for (const name of ['', '-a', 'a-', 'a//b', '/a', 'a/', 'a b', 'a---b', 'a..b', 'é'])
    t.false(isRefName(name), name)
})

test('canonical writing: the same content, the same bytes', (t) => {
  const shuffled = fc.constantFrom<(names: string[]) => string[]>(
    (n) => n,
    (n) => n.toReversed(),
    (n) => n.toSorted(),
  )
  fc.assert(
    fc.property(shuffled, shuffled, (a, b) => {
      const again = (order: (names: string[]) => string[], value: any): any => {
        if (Array.isArray(value)) return value.map((item) => again(order, item))
        if (typeof value !== 'object' || value === null) return value
        return Object.fromEntries(order(Object.keys(value)).map((name) => [name, again(order, value[name])]))
      }
      t.deepEqual(encodeCanonical(again(a, manifestBase())), encodeCanonical(again(b, manifestBase())))
    }),
  )
  t.is(
    Buffer.from(encodeCanonical({ b: 2n ** 64n, a: [{ z: 1, y: undefined }], __proto__: null })).toString(),
    '{"a":[{"z":1}],"b":18446744073709551616}',
  )
  t.deepEqual(parseImageManifest(encodeCanonical(manifestBase()), { mode: 'strict' }), manifestBase())
})
