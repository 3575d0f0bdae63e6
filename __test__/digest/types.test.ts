/** The types match the values; `npm run check` and the compiler verify it. */
import test from 'ava'
import { expectTypeOf } from 'expect-type'
import {
  algorithmOf,
  createDigester,
  digestBytes,
  digestBytesAsync,
  digestFile,
  digestFromEncoded,
  digestStream,
  digestString,
  isDigest,
  parseDigest,
  safeParseDigest,
  type Digest,
  type DigestError,
  type DigestErrorKind,
  type DigestsOf,
} from '../../ts/digest/index.ts'

const TEXT = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

test('a digest is a string that was checked', (t) => {
  const digest = parseDigest(TEXT)
  expectTypeOf(digest).toExtend<string>()
  expectTypeOf(digest).toExtend<`${string}:${string}`>()
  expectTypeOf<string>().not.toExtend<Digest>()
  expectTypeOf<`sha256:${string}`>().not.toExtend<Digest>()
  expectTypeOf<Digest<'sha512'>>().not.toExtend<Digest<'sha256'>>()
  expectTypeOf<Digest<'sha512'>>().toExtend<Digest>()
  expectTypeOf(parseDigest(TEXT as string)).toEqualTypeOf<Digest>()
  t.is(typeof digest, 'string')
})

test('the algorithm is part of the type where it is known', (t) => {
  expectTypeOf(digestString('')).toEqualTypeOf<Digest<'sha256'>>()
  expectTypeOf(digestBytes(new Uint8Array(), 'sha512')).toEqualTypeOf<Digest<'sha512'>>()
  expectTypeOf(digestBytes(new Uint8Array(), 'sha512' as string)).toEqualTypeOf<Digest>()
  expectTypeOf(createDigester('sha384').digest()).toEqualTypeOf<Digest<'sha384'>>()
  expectTypeOf(digestFromEncoded('sha256', TEXT.slice(7))).toEqualTypeOf<Digest<'sha256'>>()
  expectTypeOf(algorithmOf(digestString('', 'sha512'))).toEqualTypeOf<'sha512'>()
  expectTypeOf<DigestsOf<['sha256', 'sha512']>>().toEqualTypeOf<[Digest<'sha256'>, Digest<'sha512'>]>()
  t.is(algorithmOf(digestString('', 'sha512')), 'sha512')
})

test('guards and results narrow', (t) => {
  const value: unknown = TEXT
  if (isDigest(value)) expectTypeOf(value).toEqualTypeOf<Digest>()
  const result = safeParseDigest(value)
  if (result.success) expectTypeOf(result.data).toEqualTypeOf<Digest>()
  else expectTypeOf(result.error).toEqualTypeOf<DigestError>()
  expectTypeOf<DigestError['kind']>().toEqualTypeOf<DigestErrorKind>()
  t.true(result.success)
})

test('a list of algorithms gives a tuple of digests', async (t) => {
  const one = digestStream([])
  const two = digestBytesAsync(new Uint8Array(1), ['sha256', 'sha512'])
  const file = digestFile('/dev/null', 'sha384')
  expectTypeOf(one).resolves.toEqualTypeOf<Digest<'sha256'>>()
  expectTypeOf(two).resolves.toEqualTypeOf<[Digest<'sha256'>, Digest<'sha512'>]>()
  expectTypeOf(file).resolves.toEqualTypeOf<Digest<'sha384'>>()
  expectTypeOf(digestFile('/dev/null', ['sha256'] as string[])).resolves.toEqualTypeOf<Digest[]>()
  t.is(algorithmOf((await two)[1]), 'sha512')
  t.is(await one, digestString(''))
  t.is(algorithmOf(await file), 'sha384')
})
