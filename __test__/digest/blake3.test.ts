/** BLAKE3: unknown until it is registered. */
import test from 'ava'
import {
  blake3,
  createDigester,
  createVerifier,
  DigestError,
  digestBytes,
  isAvailable,
  parseDigest,
  registerAlgorithm,
  validateDigest,
} from '../../ts/digest/index.ts'

const EMPTY = 'blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'
const FIVE = 'blake3:b40b44dfd97e7a84a996a91af8b85188c66c126940ba7aad2e7ae6b385402aa2'

test.serial('making the provider changes nothing', (t) => {
  blake3()
  t.false(isAvailable('blake3'))
  t.is(validateDigest(EMPTY), 'unsupported')
  t.throws(() => digestBytes(new Uint8Array(), 'blake3'), {
    instanceOf: DigestError,
    message: /registerAlgorithm\('blake3', blake3\(\)\)/,
  })
})

test.serial('registered, it works everywhere', (t) => {
  t.true(registerAlgorithm('blake3', blake3()))
  t.false(registerAlgorithm('blake3', blake3()))
  t.is<string, string>(parseDigest(EMPTY), EMPTY)
  const five = Uint8Array.of(0, 1, 2, 3, 4)
  t.is<string, string>(digestBytes(new Uint8Array(), 'blake3'), EMPTY)
  t.is<string, string>(digestBytes(five, 'blake3'), FIVE)
  const digester = createDigester('blake3').update(five.subarray(0, 2))
  t.not<string, string>(digester.digest(), FIVE)
  t.is<string, string>(digester.update(five.subarray(2)).digest(), FIVE)
  t.true(createVerifier(FIVE).update(five).verified())
})
