/** Bytes to digests, at once and in steps. */
import { createHash } from 'node:crypto'
import test from 'ava'
import {
  createDigester,
  createVerifier,
  DigestError,
  digestBytes,
  digestString,
  registerAlgorithm,
  type Digest,
} from '../../ts/digest/index.ts'
import fc from '../fixtures/property.ts'

const algorithm = fc.constantFrom('sha256', 'sha384', 'sha512')
const nodes = <A extends string>(name: A, data: Uint8Array): Digest<A> =>
  `${name}:${createHash(name).update(data).digest('hex')}` as Digest<A>

test('property: however the bytes are cut, the digest is that of Node', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), algorithm, (chunks, name) => {
      const whole = Buffer.concat(chunks)
      const digester = createDigester(name)
      for (const chunk of chunks) digester.update(chunk)
      t.is(digester.digest(), nodes(name, whole))
      t.is(digestBytes(whole, name), nodes(name, whole))
      t.is(digester.size, whole.length)
    }),
  )
})

test('property: texts are taken in UTF-8, with lone surrogates as Node writes them', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }), (units) => {
      const text = String.fromCharCode(...units)
      const expected = nodes('sha256', Buffer.from(text))
      t.is(digestString(text), expected)
      t.is(createDigester().update(text).digest(), expected)
    }),
  )
})

test('every form of bytes is taken, and only the part that a view shows', (t) => {
  const buffer = new Uint8Array([9, 1, 2, 3, 4, 9]).buffer
  const shared = new SharedArrayBuffer(4)
  new Uint8Array(shared).set([1, 2, 3, 4])
  const expected = nodes('sha256', new Uint8Array([1, 2, 3, 4]))
  const forms = [
    new Uint8Array(buffer, 1, 4),
    new DataView(buffer, 1, 4),
    Buffer.from([1, 2, 3, 4]),
    new Uint16Array(new Uint8Array([1, 2, 3, 4]).buffer),
    new Uint8Array([1, 2, 3, 4]).buffer,
    shared,
  ]
  for (const form of forms) {
    t.is(digestBytes(form), expected)
    t.is(createDigester().update(form).digest(), expected)
  }
})

test('a digester gives the digest at any time and goes on', (t) => {
  const digester = createDigester('sha512')
  t.is(digester.algorithm, 'sha512')
  t.is(digester.digest(), digestString('', 'sha512'))
  digester.update('a')
  t.is(digester.digest(), digestString('a', 'sha512'))
  t.is(digester.digest(), digestString('a', 'sha512'))
  t.is(digester.update('bc').digest(), digestString('abc', 'sha512'))
  t.is(digester.size, 3)
})

test('a hasher without copy() gives one digest and takes nothing after it', (t) => {
  registerAlgorithm('once', {
    size: 32,
    create: () => {
      const hash = createHash('sha256')
      return { update: (data) => hash.update(data), digest: () => hash.digest() }
    },
  })
  const digester = createDigester('once').update('a')
  t.is(digester.digest(), digester.digest())
  t.throws(() => digester.update('b'), { code: 'ERR_INVALID_STATE' })
})

test('anything but a string or bytes is refused', (t) => {
  for (const value of [undefined, null, 7, {}, [1, 2]]) {
    t.throws(() => digestBytes(value as never), { instanceOf: TypeError })
    t.throws(() => digestString(value as never), { instanceOf: TypeError })
    t.throws(() => createDigester().update(value as never), { instanceOf: TypeError })
  }
})

test('property: a verifier accepts its bytes and no others', (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1 }),
      algorithm,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (data, name, at, flip) => {
        const expected = digestBytes(data, name)
        t.true(createVerifier(expected).update(data).verified())
        const changed = data.slice()
        changed[at % data.length]! ^= flip
        t.false(createVerifier(expected).update(changed).verified())
        t.false(createVerifier(expected).update(data.subarray(1)).verified())
        t.false(createVerifier(expected).update(data).update(new Uint8Array(1)).verified())
      },
    ),
  )
})

test('a verifier may be asked before the end', (t) => {
  const verifier = createVerifier(digestString('abc'))
  t.false(verifier.update('ab').verified())
  t.true(verifier.update('c').verified())
  t.false(verifier.update('d').verified())
  t.is(verifier.size, 4)
  t.is(verifier.actual(), digestString('abcd'))
})

test('a verifier is made of a digest only', (t) => {
  for (const text of ['', ':', 'bean:0123456789abcdef', 'sha256-garbage:pure', 'sha256:abc'])
    t.throws(() => createVerifier(text), { instanceOf: DigestError })
})
