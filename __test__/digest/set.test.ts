/** Sets of digests: the cases of go-digest's digestset, and properties. */
import test from 'ava'
import { DigestError, DigestSet, digestString, encodedOf, type Digest } from '../../ts/digest/index.ts'
import fc from '../fixtures/property.ts'

const fill = (start: string, algorithm = 'sha256'): string =>
  `${algorithm}:${start.padEnd(algorithm === 'sha512' ? 128 : 64, '0')}`
const starts = ['12345', '12341', '12346', '5432', '6543', '6432', '6542', '6532']
const eight = (): DigestSet => new DigestSet(starts.map((start) => fill(start)))

const found: [prefix: string, start: string][] = [
  ['54', '5432'],
  ['12345', '12345'],
  ['sha256:12346', '12346'],
  ['sha256:5', '5432'],
  ['6543', '6543'],
  [fill('12341'), '12341'],
  [fill('12341').slice(7), '12341'],
]
for (const [prefix, start] of found)
  test(`${prefix} finds ${start}`, (t) => t.is(eight().lookup(prefix), fill(start) as Digest))

const lost: [prefix: string, code: 'ERR_DIGEST_NOT_FOUND' | 'ERR_DIGEST_AMBIGUOUS'][] = [
  ['1234', 'ERR_DIGEST_AMBIGUOUS'],
  ['sha256:1234', 'ERR_DIGEST_AMBIGUOUS'],
  ['6', 'ERR_DIGEST_AMBIGUOUS'],
  ['', 'ERR_DIGEST_AMBIGUOUS'],
  ['9876', 'ERR_DIGEST_NOT_FOUND'],
  ['sha512:12345', 'ERR_DIGEST_NOT_FOUND'],
  ['foo:12345', 'ERR_DIGEST_NOT_FOUND'],
  ['sha256:', 'ERR_DIGEST_NOT_FOUND'],
  ['sha256', 'ERR_DIGEST_NOT_FOUND'],
  [`${fill('12345')}0`, 'ERR_DIGEST_NOT_FOUND'],
  ['FFFF', 'ERR_DIGEST_NOT_FOUND'],
]
for (const [prefix, code] of lost)
  test(`${JSON.stringify(prefix)} is ${code}`, (t) => {
    const error = t.throws(() => eight().lookup(prefix), { code })
    t.false(error?.message.includes('\n'))
  })

test('an empty set has nothing', (t) => {
  t.throws(() => new DigestSet().lookup(''), { code: 'ERR_DIGEST_NOT_FOUND' })
  t.is(new DigestSet().shortCodes(2).size, 0)
})

test('a digest is in it once; another algorithm with the same characters is another', (t) => {
  const set = eight()
  t.is(set.size, 8)
  t.is(set.add(fill('5432')).size, 8)
  registerPair(set)
  t.is(set.size, 10)
  t.true(set.has(fill('abc', 'sha512')))
  t.is(set.lookup('sha512:abc'), fill('abc', 'sha512') as Digest)
  t.throws(() => set.lookup('abc'), { code: 'ERR_DIGEST_AMBIGUOUS' })
  t.is(set.lookup('sha256:abc'), fill('abc') as Digest)
  t.true(set.delete(fill('abc')))
  t.false(set.delete(fill('abc')))
  t.is(set.lookup('abc'), fill('abc', 'sha512') as Digest)
})

function registerPair(set: DigestSet): void {
  set.add(fill('abc')).add(fill('abc', 'sha512'))
}

test('a whole encoded part is found though a longer one of another algorithm begins so', (t) => {
  const short = fill('abc')
  const long = `sha512:${short.slice(7).padEnd(128, '1')}`
  const set = new DigestSet([short, long])
  t.is(set.lookup(short.slice(7)), short as Digest)
  t.is(set.lookup(short), short as Digest)
  t.is(set.lookup(long.slice(7)), long as Digest)
  t.is(set.lookup(long.slice(7, 72)), long as Digest)
  t.throws(() => set.lookup('abc'), { code: 'ERR_DIGEST_AMBIGUOUS' })
})

test('a set takes digests only', (t) => {
  const set = eight()
  for (const bad of ['', '1234', 'foo:bar', 'sha256:12']) {
    t.throws(() => set.add(bad), { instanceOf: DigestError })
    t.throws(() => set.delete(bad), { instanceOf: DigestError })
    t.throws(() => new DigestSet([bad]), { instanceOf: DigestError })
    t.false(set.has(bad))
  }
  t.is(set.size, 8)
})

test('it is iterated in order', (t) => {
  t.deepEqual(
    [...eight()].map((digest) => encodedOf(digest).replace(/0+$/, '')),
    ['12341', '12345', '12346', '5432', '6432', '6532', '6542', '6543'],
  )
})

test('short codes', (t) => {
  t.deepEqual(
    [...eight().shortCodes(2).values()],
    ['12341', '12345', '12346', '54', '64', '653', '6542', '6543'],
  )
  t.deepEqual([...eight().shortCodes(0).values()].slice(3, 5), ['5', '64'])
  t.deepEqual([...new DigestSet([fill('5')]).shortCodes(64).values()], [fill('5')])
  t.is(new DigestSet([fill('5')]).shortCodes(63).get(fill('5') as Digest), fill('5').slice(7, 70))
})

const members = fc.array(fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz').map((text) => digestString(text)))

test('property: every digest is found by its short code, and by every longer start of it', (t) => {
  fc.assert(
    fc.property(members, fc.integer({ min: 0, max: 70 }), (digests, length) => {
      const set = new DigestSet(digests)
      const codes = set.shortCodes(length)
      t.is(codes.size, set.size)
      t.is(new Set(codes.values()).size, set.size)
      for (const [digest, code] of codes) {
        t.true(code.length >= Math.min(length, 64))
        t.is(set.lookup(code), digest)
        t.is(set.lookup(digest), digest)
        if (code.length < 64) t.is(set.lookup(encodedOf(digest).slice(0, code.length + 1)), digest)
      }
    }),
  )
})

test('property: adding and removing in any order is a set', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 20 }))), (steps) => {
      const [set, model] = [new DigestSet(), new Set<Digest>()]
      for (const [adding, number] of steps) {
        const digest = digestString(String(number))
        if (adding) {
          set.add(digest)
          model.add(digest)
        } else t.is(set.delete(digest), model.delete(digest))
      }
      t.deepEqual([...set].sort(), [...model].sort())
      t.deepEqual([...new DigestSet(model)], [...set])
      for (const digest of model) t.true(set.has(digest))
    }),
  )
})
