/** Parsing and validation: go-digest's cases, its order of checks, and generated ones. */
import test from 'ava'
import { CaissonError } from '../../ts/errors.ts'
import {
  algorithmOf,
  DIGEST_REGEXP,
  DIGEST_REGEXP_ANCHORED,
  DigestError,
  digestFromEncoded,
  digestFromHashBytes,
  digestString,
  encodedOf,
  isDigest,
  parseDigest,
  safeParseDigest,
  validateDigest,
  type DigestErrorKind,
} from '../../ts/digest/index.ts'
import fc from '../fixtures/property.ts'

const hex = (length: number): string => '0123456789abcdef'.repeat(12).slice(0, length)

const cases: [what: string, text: string, kind: DigestErrorKind | null][] = [
  ['sha256', `sha256:${hex(64)}`, null],
  ['sha384', `sha384:${hex(96)}`, null],
  ['sha512', `sha512:${hex(128)}`, null],
  ['nothing', '', 'invalid-format'],
  ['blanks alone', '   ', 'invalid-format'],
  ['a colon alone', ':', 'invalid-format'],
  ['no algorithm', ':abc', 'invalid-format'],
  ['no algorithm, hexadecimal of the right length', `:${hex(64)}`, 'invalid-format'],
  ['nothing after the colon', 'sha256:', 'invalid-format'],
  ['bare hexadecimal', hex(64), 'invalid-format'],
  ['bare words', 'sha256', 'invalid-format'],
  ['two separators in the algorithm', 'sha384__foo+bar:abc', 'invalid-format'],
  ['a separator at its end', 'sha256+:abc', 'invalid-format'],
  ['a separator at its start', '+sha256:abc', 'invalid-format'],
  ['capitals in the algorithm', `SHA256:${hex(64)}`, 'invalid-format'],
  ['a second colon', 'foo:bar:baz', 'invalid-format'],
  ['a blank in front', ` sha256:${hex(64)}`, 'invalid-format'],
  ['a line end behind an unknown algorithm', 'foo:abc\n', 'invalid-format'],
  ['a path behind an unknown algorithm', 'foo:../../etc/passwd', 'invalid-format'],
  ['an unknown algorithm', 'foo:d41d8cd98f00b204e9800998ecf8427e', 'unsupported'],
  ['one with a dot', 'sha384.foo+bar:abc', 'unsupported'],
  ['one with an underscore', 'sha384_foo+bar:abc', 'unsupported'],
  ['base64url behind it', 'sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564', 'unsupported'],
  ['every character of the grammar', 'a.b+c_d-e:aA0=_-', 'unsupported'],
  ['md5', 'md5:d41d8cd98f00b204e9800998ecf8427e', 'unsupported'],
  ['too short', 'sha256:abcdef0123456789', 'invalid-length'],
  ['too short, characters that are wrong as well', 'sha256:ZZZm98ecf8427e', 'invalid-length'],
  ['too long by one', `sha256:${hex(65)}`, 'invalid-length'],
  ['64 characters for sha512', `sha512:${hex(64)}`, 'invalid-length'],
  ['128 characters for sha256', `sha256:${hex(128)}`, 'invalid-length'],
  ['a line end behind it', `sha256:${hex(64)}\n`, 'invalid-length'],
  ['capitals', `sha256:${hex(64).toUpperCase()}`, 'invalid-format'],
  ['one capital', `sha256:${hex(63)}F`, 'invalid-format'],
  ['64 blanks', `sha256:${' '.repeat(64)}`, 'invalid-format'],
  ['a path of the right length', `sha256:${'../'.repeat(21)}x`, 'invalid-format'],
  ['a line end as last character', `sha256:${hex(63)}\n`, 'invalid-format'],
  ['a zero byte', `sha256:${hex(63)}\0`, 'invalid-format'],
]

for (const [what, text, kind] of cases) {
  test(`${what} is ${kind ?? 'a digest'}`, (t) => {
    t.is(validateDigest(text), kind)
    t.is(isDigest(text), kind === null)
    const result = safeParseDigest(text)
    t.is(result.success, kind === null)
    if (kind === null) {
      t.is<string, string>(parseDigest(text), text)
      t.true(result.success && result.data === text)
      t.is<string, string>(digestFromEncoded(algorithmOf(text), encodedOf(text)), text)
      return
    }
    const error = t.throws(() => parseDigest(text), { instanceOf: DigestError })
    t.true(error instanceof CaissonError)
    t.is(error?.name, 'DigestError')
    t.is(error?.kind, kind)
    t.is(error?.digest, text)
    t.is(error?.code, kind === 'unsupported' ? 'ERR_UNSUPPORTED_DIGEST' : 'ERR_INVALID_DIGEST')
    t.false(error?.message.includes('\n'))
    t.true(!result.success && result.error.message === error?.message)
  })
}

test('a value that is not a string is not a digest', (t) => {
  for (const value of [undefined, null, 7, {}, [], Symbol('x'), Object.create(null), () => 0]) {
    t.is(validateDigest(value), 'invalid-format')
    t.false(isDigest(value))
    t.false(safeParseDigest(value).success)
    t.throws(() => parseDigest(value as string), { instanceOf: DigestError })
  }
})

test('a message names the problem, and is short for any input', (t) => {
  t.throws(() => parseDigest(`sha256:${hex(63)}`), {
    message: `"sha256:${hex(63)}" is not a valid digest: sha256 has 64 characters after the colon, not 63`,
  })
  const error = t.throws(() => parseDigest('x'.repeat(1e6)), { instanceOf: DigestError })
  t.true(error.message.length < 400)
})

test('the parts need a colon and no more', (t) => {
  t.is(algorithmOf('foo:bar:baz'), 'foo')
  t.is(encodedOf('foo:bar:baz'), 'bar:baz')
  for (const part of [algorithmOf, encodedOf])
    t.throws(() => part('sha256'), { instanceOf: DigestError, code: 'ERR_INVALID_DIGEST' })
})

test('from a hash that was made elsewhere', (t) => {
  const hash = new Uint8Array(40).map((_, index) => index)
  t.is<string, string>(
    digestFromHashBytes('sha256', hash.subarray(8)),
    'sha256:08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627',
  )
  t.throws(() => digestFromHashBytes('sha256', hash), { instanceOf: DigestError, message: /not 80/ })
  t.throws(() => digestFromHashBytes('md5', hash), {
    instanceOf: DigestError,
    code: 'ERR_UNSUPPORTED_DIGEST',
  })
  t.throws(() => digestFromEncoded('sha256', hex(64).toUpperCase()), { instanceOf: DigestError })
  t.throws(() => digestFromEncoded('sha256:', hex(64)), { instanceOf: DigestError })
})

test('the expression finds digests inside a string, whatever their algorithm', (t) => {
  t.is(DIGEST_REGEXP.exec(`docker.io/library/busybox@sha256:${hex(64)} up`)?.[0], `sha256:${hex(64)}`)
  t.is(DIGEST_REGEXP.exec('(foo.b-r:A=_-)')?.[0], 'foo.b-r:A=_-')
  t.is(DIGEST_REGEXP.exec('no digest: here'), null)
  t.false(DIGEST_REGEXP.global || DIGEST_REGEXP_ANCHORED.global)
})

const algorithm = fc.constantFrom('sha256', 'sha384', 'sha512')

test('property: a digest that was computed parses, splits and joins to itself', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), algorithm, (text, name) => {
      const digest = digestString(text, name)
      t.is(parseDigest(digest), digest)
      t.is(algorithmOf(digest), name)
      t.is(digestFromEncoded(name, encodedOf(digest)), digest)
      t.is(digestFromHashBytes(name, Buffer.from(encodedOf(digest), 'hex')), digest)
      t.is(JSON.stringify({ digest }), `{"digest":"${digest}"}`)
    }),
  )
})

test('property: one character changed to what is not allowed there is refused', (t) => {
  fc.assert(
    fc.property(
      algorithm,
      fc.nat(),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      (name, at, other) => {
        const digest = digestString('x', name)
        const position = name.length + 1 + (at % encodedOf(digest).length)
        const changed = digest.slice(0, position) + other + digest.slice(position + 1)
        t.is(isDigest(changed), /^[0-9a-f]$/.test(other))
      },
    ),
  )
})

test('property: all functions agree on any string, and throw no other kind of error', (t) => {
  const piece = fc.constantFrom(
    'sha256',
    'sha512',
    ':',
    '+',
    '__',
    hex(64),
    hex(128),
    'A',
    '/',
    '..',
    '\n',
    'é',
    '',
  )
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece).map((pieces) => pieces.join('')),
  )
  fc.assert(
    fc.property(texts, (text) => {
      const kind = validateDigest(text)
      const result = safeParseDigest(text)
      t.is(result.success ? null : result.error.kind, kind)
      // The grammar of the specification holds for all that is not refused for its form.
      if (kind === null || kind === 'unsupported') t.regex(text, DIGEST_REGEXP_ANCHORED)
      if (kind === null) t.regex(text, /^sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})$/)
    }),
    { numRuns: 2000 },
  )
})

test('a string of a million characters is refused in one pass', (t) => {
  // Each of these would take a quadratic expression minutes.
  for (const text of ['a'.repeat(1e6), `${'a-'.repeat(5e5)}:x`, `${'a'.repeat(1e6)}:${'b'.repeat(1e6)}!`])
    t.is(validateDigest(text), 'invalid-format')
})
