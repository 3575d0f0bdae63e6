/** Digests of streams of every kind. */
import { PassThrough, Readable } from 'node:stream'
import test from 'ava'
import {
  DigestError,
  digestBytes,
  digestStream,
  digestString,
  type ByteStream,
} from '../../ts/digest/index.ts'
import fc from '../fixtures/property.ts'

const web = (chunks: Uint8Array[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })

async function* generated(chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

const kinds: Record<string, (chunks: Uint8Array[]) => ByteStream> = {
  'a Readable': (chunks) => Readable.from(chunks, { objectMode: false }),
  'a ReadableStream': web,
  'an async generator': generated,
  'an array': (chunks) => chunks,
  'a Blob': (chunks) => new Blob(chunks as Uint8Array<ArrayBuffer>[]).stream(),
}

for (const [name, make] of Object.entries(kinds)) {
  test(`property: ${name} has the digest of its bytes, however they are cut`, async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 50 })), async (chunks) => {
        const whole = Buffer.concat(chunks)
        t.is(await digestStream(make(chunks)), digestBytes(whole))
        t.deepEqual(await digestStream(make(chunks), ['sha512', 'sha256']), [
          digestBytes(whole, 'sha512'),
          digestBytes(whole, 'sha256'),
        ])
      }),
      { numRuns: 30 },
    )
  })
}

test('texts are taken in UTF-8', async (t) => {
  t.is(await digestStream(Readable.from(['a', 'ß'])), digestString('aß'))
})

test('a large chunk does not block the event loop', async (t) => {
  const piece = new Uint8Array(8 << 20)
  let turns = 0
  let ended = false
  const count = (): void => {
    turns += 1
    if (!ended) setImmediate(count)
  }
  setImmediate(count)
  t.is(await digestStream([piece]), digestBytes(piece))
  ended = true
  t.true(turns >= 7, `${turns} turns`)
})

test('progress counts the bytes', async (t) => {
  const seen: number[] = []
  await digestStream(['ab', '', 'c'], 'sha256', { onProgress: ({ read }) => seen.push(read) })
  t.deepEqual(seen, [2, 2, 3])
})

test('the error of a stream is the error of the digest', async (t) => {
  const failure = new Error('on purpose')
  const stream = new Readable({ read() {} })
  stream.push('x')
  stream.destroy(failure)
  t.is(await t.throwsAsync(digestStream(stream)), failure)
  const broken = new ReadableStream({ pull: (controller) => controller.error(failure) })
  t.is(await t.throwsAsync(digestStream(broken)), failure)
})

test('an abort rejects with its reason and closes the stream, even while it is idle', async (t) => {
  const reason = new Error('enough')
  const readable = new PassThrough()
  let cancelled: unknown = 'not'
  const webStream = new ReadableStream({ cancel: () => void (cancelled = 'cancelled') })
  for (const stream of [readable, webStream]) {
    const controller = new AbortController()
    const pending = digestStream(stream, 'sha256', { signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    t.is(await t.throwsAsync(pending), reason)
  }
  t.true(readable.destroyed)
  t.is(cancelled, 'cancelled')
  let touched = false
  const source = {
    [Symbol.asyncIterator]: () => {
      touched = true
      return generated([])
    },
  }
  t.is(await t.throwsAsync(digestStream(source, 'sha256', { signal: AbortSignal.abort(reason) })), reason)
  t.false(touched, 'nothing is read')
})

test('invalid arguments are refused before anything is read', async (t) => {
  let read = false
  const source = (function* () {
    read = true
    yield 'x'
  })()
  await t.throwsAsync(digestStream(source, 'md5'), {
    instanceOf: DigestError,
    code: 'ERR_UNSUPPORTED_DIGEST',
  })
  await t.throwsAsync(digestStream(source, ['sha256', 'md5']), { code: 'ERR_UNSUPPORTED_DIGEST' })
  await t.throwsAsync(digestStream(source, []), { code: 'ERR_INVALID_OPTION' })
  t.false(read)
  for (const value of ['text', {}, 7, new Uint8Array(2)] as never[])
    await t.throwsAsync(digestStream(value), { instanceOf: TypeError })
  await t.throwsAsync(digestStream([{}] as never), { instanceOf: TypeError })
})
