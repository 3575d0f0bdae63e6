/** Built-in algorithms, and those that a program registers. */
import { createHash } from 'node:crypto'
import test from 'ava'
import { SpecError } from '../../ts/errors.ts'
import {
  availableAlgorithms,
  CANONICAL_ALGORITHM,
  createDigester,
  createVerifier,
  DigestError,
  digestBytes,
  digestSize,
  digestString,
  isAvailable,
  registerAlgorithm,
  validateDigest,
  type AlgorithmProvider,
} from '../../ts/digest/index.ts'

test('the SHA-2 family is always there', (t) => {
  t.is(CANONICAL_ALGORITHM, 'sha256')
  t.deepEqual(availableAlgorithms().slice(0, 3), ['sha256', 'sha384', 'sha512'])
  for (const [name, size] of Object.entries({ sha256: 32, sha384: 48, sha512: 64 })) {
    t.true(isAvailable(name))
    t.is(digestSize(name), size)
  }
  for (const name of ['', 'sha1', 'SHA256', 'md5', 'blake3', 'toString', '__proto__']) {
    t.false(isAvailable(name))
    t.is(digestSize(name), 0)
    t.throws(() => createDigester(name), { instanceOf: DigestError, code: 'ERR_UNSUPPORTED_DIGEST' })
    t.throws(() => digestString('x', name), { instanceOf: DigestError, code: 'ERR_UNSUPPORTED_DIGEST' })
  }
})

test('vectors of NIST', (t) => {
  const abc = 'abc'
  const two = 'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'
  const million = Buffer.alloc(1e6, 'a')
  const vectors: [string | Buffer, string, string][] = [
    ['', 'sha256', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    [abc, 'sha256', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [two, 'sha256', '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1'],
    [million, 'sha256', 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
    [
      abc,
      'sha384',
      'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7',
    ],
    [
      abc,
      'sha512',
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    ],
  ]
  for (const [data, name, encoded] of vectors) {
    const expected = `${name}:${encoded}`
    t.is<string, string>(
      typeof data === 'string' ? digestString(data, name) : digestBytes(data, name),
      expected,
    )
    t.is<string, string>(createDigester(name).update(data).digest(), expected)
    t.true(createVerifier(expected).update(data).verified())
  }
})

test('a program registers its own algorithm, once', (t) => {
  const provider = (text: string): AlgorithmProvider => ({
    size: 32,
    create: () => createHash('sha256').update(text),
  })
  t.is(validateDigest(`sha256-test:${'0'.repeat(64)}`), 'unsupported')
  t.true(registerAlgorithm('sha256-test', provider('first')))
  t.false(registerAlgorithm('sha256-test', provider('second')), 'the name is taken')
  t.false(registerAlgorithm('sha256', provider('other')), 'and so is a built-in one')
  t.is(validateDigest(`sha256-test:${'0'.repeat(64)}`), null)
  t.is(validateDigest(`sha256-test:${'0'.repeat(63)}`), 'invalid-length')
  t.is(validateDigest(`sha256-test:${'F'.repeat(64)}`), 'invalid-format')
  t.is(digestSize('sha256-test'), 32)
  const expected = `sha256-test:${createHash('sha256').update('firstdata').digest('hex')}`
  t.is<string, string>(digestString('data', 'sha256-test'), expected)
  t.true(createVerifier(expected).update('data').verified())
  t.is<string, string>(digestString('data'), `sha256:${createHash('sha256').update('data').digest('hex')}`)
})

test('invalid names and providers are refused, with all problems at once', (t) => {
  const create = (): ReturnType<AlgorithmProvider['create']> => createHash('sha256')
  for (const name of [
    '',
    '-',
    'sha256-',
    '-sha256',
    'SHA256',
    'sha25*',
    'a b',
    'a:b',
    'a..b',
    'a/b',
    'a\n',
  ]) {
    t.throws(() => registerAlgorithm(name, { size: 32, create }), {
      instanceOf: SpecError,
      code: 'ERR_INVALID_OPTION',
    })
    t.false(isAvailable(name))
  }
  t.true(registerAlgorithm('sha256_384', { size: 32, create }))
  const error = t.throws(() => registerAlgorithm('!', { size: 0.5 } as AlgorithmProvider), {
    instanceOf: SpecError,
  })
  t.deepEqual(
    error.issues.map(({ path }) => path),
    ['name', 'provider.size', 'provider.create'],
  )
  t.throws(() => registerAlgorithm('x', undefined as never), { instanceOf: SpecError })
})

test('a provider whose hash does not have the declared length is refused', (t) => {
  registerAlgorithm('liar', { size: 20, create: () => createHash('sha256') })
  t.throws(() => digestString('x', 'liar'), { code: 'ERR_INVALID_STATE', message: /32 bytes .* with 20/ })
})
