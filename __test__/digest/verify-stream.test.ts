/** Streams that verify passing content. */
import { PassThrough, Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import test from 'ava'
import {
  DigestError,
  digestBytes,
  digestString,
  MismatchError,
  verifyTransform,
  verifyTransformStream,
  type VerifyOptions,
} from '../../ts/digest/index.ts'
import fc from '../fixtures/property.ts'

/** The output, and the error, if any. */
interface Passed {
  bytes: Buffer
  error: unknown
}

type Pass = (chunks: Uint8Array[], expected: string, options: VerifyOptions) => Promise<Passed>

const throughNode: Pass = async (chunks, expected, options) => {
  const seen: Uint8Array[] = []
  const sink = new Writable({ write: (chunk: Uint8Array, _, done) => done(void seen.push(chunk)) })
  const error = await pipeline(Readable.from(chunks), verifyTransform(expected, options), sink).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return { bytes: Buffer.concat(seen), error }
}

const throughWeb: Pass = async (chunks, expected, options) => {
  const seen: Uint8Array[] = []
  const source = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
  const sink = new WritableStream<Uint8Array>({ write: (chunk) => void seen.push(chunk) })
  const error = await source
    .pipeThrough(verifyTransformStream(expected, options))
    .pipeTo(sink)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    )
  return { bytes: Buffer.concat(seen), error }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

for (const [name, pass] of Object.entries({ Transform: throughNode, TransformStream: throughWeb })) {
  test(`${name}: the right bytes pass, with a size and without`, async (t) => {
    for (const options of [{}, { size: 6 }])
      t.deepEqual(await pass([bytes('abc'), bytes(''), bytes('def')], digestString('abcdef'), options), {
        bytes: Buffer.from('abcdef'),
        error: undefined,
      })
    for (const options of [{}, { size: 0 }])
      t.is((await pass([], digestString(''), options)).error, undefined)
  })

  test(`${name}: the first excess byte is an error and does not pass`, async (t) => {
    let asked = 0
    const endless = function* (): Generator<Uint8Array> {
      for (;;) {
        asked += 1
        yield bytes('abc')
      }
    }
    if (name === 'Transform') {
      const seen: Buffer[] = []
      const sink = new Writable({ write: (chunk: Buffer, _, done) => done(void seen.push(chunk)) })
      const error = await t.throwsAsync(
        pipeline(Readable.from(endless()), verifyTransform(digestString('abcabc'), { size: 6 }), sink),
        { instanceOf: MismatchError, code: 'ERR_SIZE_MISMATCH' },
      )
      t.like(error, { expected: 6, actual: 9, name: 'MismatchError' })
      t.true(asked < 100)
      t.true(Buffer.concat(seen).length <= 6)
    }
    const { bytes: through, error } = await pass([bytes('abcd')], digestString('abc'), { size: 3 })
    t.like(error, { code: 'ERR_SIZE_MISMATCH', expected: 3, actual: 4 })
    t.is(through.length, 0)
  })

  test(`${name}: too few bytes are an error at the end`, async (t) => {
    const { error } = await pass([bytes('ab')], digestString('ab'), { size: 3 })
    t.like(error, { code: 'ERR_SIZE_MISMATCH', expected: 3, actual: 2 })
  })

  test(`${name}: with a size the last bytes pass only when all are right`, async (t) => {
    const { bytes: through, error } = await pass([bytes('ab'), bytes('X')], digestString('abc'), { size: 3 })
    t.true(error instanceof MismatchError)
    t.like(error, {
      code: 'ERR_DIGEST_MISMATCH',
      expected: digestString('abc') as string,
      actual: digestString('abX') as string,
    })
    t.true(through.length < 3)
  })

  test(`${name}: without a size the error comes at the end`, async (t) => {
    const { error } = await pass([bytes('abX')], digestString('abc'), {})
    t.like(error, { code: 'ERR_DIGEST_MISMATCH' })
  })

  test(`${name}: property: any corruption of any kind is found`, async (t) => {
    const kinds = fc.constantFrom('flip', 'cut', 'add', 'none')
    const content = fc.uint8Array({ minLength: 1, maxLength: 100 })
    await fc.assert(
      fc.asyncProperty(content, kinds, fc.nat(), fc.boolean(), async (data, kind, at, sized) => {
        const expected = digestBytes(data)
        const position = at % data.length
        const changed =
          kind === 'cut'
            ? data.slice(0, position)
            : kind === 'add'
              ? Uint8Array.of(...data, position)
              : data.map((byte, index) => (kind === 'flip' && index === position ? byte ^ 1 : byte))
        const chunks = [changed.slice(0, position), changed.slice(position)]
        const { error } = await pass(chunks, expected, sized ? { size: data.length } : {})
        t.is(error === undefined, kind === 'none')
        if (kind !== 'none') t.true(error instanceof MismatchError)
      }),
      { numRuns: 60 },
    )
  })
}

test('a bad digest or size is refused when the stream is made', (t) => {
  for (const make of [verifyTransform, verifyTransformStream]) {
    t.throws(() => make('sha256:abc'), { instanceOf: DigestError })
    t.throws(() => make('md5:d41d8cd98f00b204e9800998ecf8427e'), { code: 'ERR_UNSUPPORTED_DIGEST' })
    for (const size of [-1, 1.5, NaN, 2 ** 53])
      t.throws(() => make(digestString(''), { size }), { code: 'ERR_INVALID_OPTION' })
  }
})

test('back-pressure is kept', async (t) => {
  const slow = new PassThrough({ highWaterMark: 1 })
  const transform = verifyTransform(digestBytes(new Uint8Array(1 << 20)))
  transform.pipe(slow)
  let accepted = 0
  while (transform.write(new Uint8Array(1 << 14)) && accepted < 64) accepted += 1
  t.true(accepted < 64)
  slow.resume()
  for (let sent = accepted + 1; sent < 64; sent++) transform.write(new Uint8Array(1 << 14))
  transform.end()
  await new Promise((resolve, reject) => slow.on('end', resolve) && transform.on('error', reject))
})
