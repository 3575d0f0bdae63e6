/** Files of every kind, and large buffers, hashed off the event loop. */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, readSync, symlinkSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import {
  blake3,
  digestBytes,
  digestBytesAsync,
  digestFile,
  digestString,
  registerAlgorithm,
  type DigestibleFile,
} from '../../ts/digest/index.ts'
import { checkout } from '../fixtures/program.ts'
import { scratch } from '../fixtures/rootfs.ts'

const folder = scratch('digest')
const made = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
const noise = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let at = 0, state = 1; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    bytes[at] = state >>> 24
  }
  return bytes
}
const pipe = (name: string): string => {
  const path = join(folder, name)
  spawnSync('mkfifo', [path])
  return path
}

registerAlgorithm('blake3', blake3())
registerAlgorithm('program', { size: 32, create: () => createHash('sha256').update('own') })

test('a file by path, bytes of a path, URL, link, descriptor and FileHandle', async (t) => {
  const path = made('ünicode name', 'content')
  symlinkSync(path, join(folder, 'link'))
  const handle = await open(path)
  const descriptor = openSync(path, 'r')
  const files: DigestibleFile[] = [
    path,
    Buffer.from(path),
    pathToFileURL(path),
    join(folder, 'link'),
    descriptor,
    handle,
  ]
  for (const file of files) t.is(await digestFile(file), digestString('content'))
  closeSync(descriptor)
  await handle.close()
})

test('a name that is not UTF-8', async (t) => {
  const path = Buffer.concat([Buffer.from(join(folder, 'raw-')), Buffer.from([0xff, 0xfe])])
  writeFileSync(path, 'raw')
  t.is(await digestFile(path), digestString('raw'))
})

test('several algorithms in one pass, in the order given, native or not', async (t) => {
  const content = noise(3 << 20)
  const path = made('several', content)
  const names = ['sha512', 'blake3', 'sha256', 'sha384', 'sha256'] as const
  t.deepEqual(
    [...(await digestFile(path, names))],
    names.map((name) => digestBytes(content, name)),
  )
  const mixed = ['program', 'sha256', 'blake3'] as const
  for (const file of [path, Buffer.from(path), openSync(path, 'r')]) {
    t.deepEqual(
      [...(await digestFile(file, mixed))],
      mixed.map((name) => digestBytes(content, name)),
    )
    if (typeof file === 'number') closeSync(file)
  }
})

test('empty files, files that report size 0, and endless files', async (t) => {
  t.is(await digestFile(made('empty', '')), digestString(''))
  t.is(await digestFile('/proc/version'), digestBytes(readFileSync('/proc/version')))
  t.is(await digestFile('/proc/version', 'program'), digestBytes(readFileSync('/proc/version'), 'program'))
  t.is(await digestFile('/dev/null'), digestString(''))
})

test('a descriptor is read from its current position, and may be closed at once', async (t) => {
  const descriptor = openSync(made('position', '0123456789'), 'r')
  readSync(descriptor, Buffer.alloc(4))
  const pending = digestFile(descriptor)
  closeSync(descriptor)
  t.is(await pending, digestString('456789'))
})

for (const algorithm of ['sha256', 'program']) {
  const codes: [what: string, file: () => DigestibleFile, errno: string][] = [
    ['a missing file', () => join(folder, 'none'), 'ENOENT'],
    ['a directory', () => folder, 'EISDIR'],
    ['a file below a file', () => join(made('file', ''), 'x'), 'ENOTDIR'],
    ['a descriptor that is not open', () => 999_999, 'EBADF'],
  ]
  for (const [what, file, errno] of codes) {
    test(`${what} is ${errno} (${algorithm})`, async (t) => {
      const error = await t.throwsAsync(digestFile(file(), algorithm), { code: 'ERR_SYSCALL' })
      t.like(error, { name: 'CaissonError', errno })
      t.regex(error!.message, new RegExp(errno))
      if (errno !== 'EBADF') t.is((error as { path?: string }).path, file() as string)
    })
  }
}

test('anything but a file is refused', async (t) => {
  const values = [
    '',
    'a\0b',
    -1,
    1.5,
    NaN,
    2 ** 31,
    {},
    null,
    true,
    new URL('http://localhost/x'),
    new Uint8Array(0),
  ]
  for (const value of values as DigestibleFile[]) {
    await t.throwsAsync(
      digestFile(value),
      { code: 'ERR_INVALID_OPTION', message: /must be a path/ },
      String(value),
    )
  }
  await t.throwsAsync(digestFile(folder, 'md5'), { code: 'ERR_UNSUPPORTED_DIGEST' })
  await t.throwsAsync(digestFile(folder, []), { code: 'ERR_INVALID_OPTION' })
})

test('a pipe is read until its writers are gone', async (t) => {
  const path = pipe('fifo')
  const pending = digestFile(path)
  const child = spawn('sh', ['-c', 'exec >"$0"; printf one; sleep 0.1; printf two', path], {
    stdio: 'ignore',
  })
  t.is(await pending, digestString('onetwo'))
  t.is(child.exitCode ?? (await once(child, 'exit'))[0], 0)
})

test('an abort ends a wait for a pipe and an endless read', async (t) => {
  const reason = new Error('enough')
  for (const [file, algorithm] of [
    [pipe('waiting'), 'sha256'],
    ['/dev/zero', 'sha256'],
    ['/dev/zero', 'program'],
  ] as const) {
    const controller = new AbortController()
    const pending = digestFile(file, algorithm, { signal: controller.signal })
    setTimeout(() => controller.abort(reason), 20)
    t.is(await t.throwsAsync(pending), reason)
  }
  const { signal } = new AbortController()
  const aborted = AbortSignal.abort(reason)
  t.is(await t.throwsAsync(digestFile(join(folder, 'none'), 'sha256', { signal: aborted })), reason)
  t.is(await digestFile(made('whole', 'x'), 'sha256', { signal }), digestString('x'))
})

test('progress reports the bytes read and the size of a file', async (t) => {
  const path = made('progress', noise(2 << 20))
  for (const algorithm of ['sha256', 'program']) {
    const seen: { read: number; total?: number }[] = []
    await digestFile(path, algorithm, { onProgress: (progress) => seen.push(progress) })
    t.deepEqual(seen.at(-1), { read: 2 << 20, total: 2 << 20 })
    t.true(seen.every(({ read }, index) => read >= (seen[index - 1]?.read ?? 0)))
  }
})

/** Whether immediates ran while `work` was under way, and how it ended. */
async function turnsDuring<T>(work: Promise<T>): Promise<{ turns: number; value: T }> {
  let turns = 0
  let ended = false
  const count = (): void => {
    turns += 1
    if (!ended) setImmediate(count)
  }
  setImmediate(count)
  const value = await work
  ended = true
  return { turns, value }
}

// Serial, before the others: their work must not block the loop.
test.serial('the event loop keeps running while a large file or buffer is hashed', async (t) => {
  const content = noise(32 << 20)
  const expected = digestBytes(content)
  const path = made('large', content)
  for (const work of [() => digestFile(path), () => digestBytesAsync(content)]) {
    const { turns, value } = await turnsDuring(work())
    t.is(value, expected)
    t.true(turns > 10, `${turns} turns`)
  }
})

test('more files at once than threads, while others wait for pipes', async (t) => {
  const controller = new AbortController()
  const waiting = Array.from({ length: 8 }, () =>
    digestFile(pipe('many'), 'sha256', { signal: controller.signal }),
  )
  const paths = Array.from({ length: 100 }, (_, index) => made(`many-${index}`, `${index}`))
  const digests = await Promise.all(paths.map((path) => digestFile(path)))
  t.deepEqual(
    digests,
    paths.map((_, index) => digestString(`${index}`)),
  )
  const reason = new Error('enough')
  controller.abort(reason)
  const ends = await Promise.allSettled(waiting)
  for (const end of ends) t.is(end.status === 'rejected' && end.reason, reason)
})

test('large buffers, with one algorithm and with several', async (t) => {
  const content = noise(5_000_001)
  t.is(await digestBytesAsync(content), digestBytes(content))
  t.is(await digestBytesAsync(content.buffer as ArrayBuffer, 'sha512'), digestBytes(content, 'sha512'))
  t.is(await digestBytesAsync(content.subarray(7, 90)), digestBytes(content.subarray(7, 90)))
  t.is(await digestBytesAsync(new Uint8Array(0)), digestString(''))
  const mixed = ['program', 'sha256'] as const
  t.deepEqual(
    [...(await digestBytesAsync(content, mixed))],
    mixed.map((name) => digestBytes(content, name)),
  )
  const reason = new Error('enough')
  const controller = new AbortController()
  const pending = digestBytesAsync(noise(64 << 20), 'sha512', { signal: controller.signal })
  controller.abort(reason)
  t.is(await t.throwsAsync(pending), reason)
})

const workerSource = `
  import { parentPort, workerData } from 'node:worker_threads'
  const { digestFile, digestBytesAsync } = await import(workerData.module)
  parentPort.postMessage(await digestFile(workerData.path))
  if (workerData.stay) await digestFile(workerData.pipe)`

const inWorker = (t: ExecutionContext, path: string, stay: boolean): Worker => {
  const worker = new Worker(made('worker.mjs', workerSource), {
    execArgv: [],
    workerData: { module: join(checkout, 'dist/digest.js'), path, pipe: pipe('worker'), stay },
  })
  t.teardown(() => worker.terminate())
  return worker
}

test('worker threads hash side by side, and one may be ended while it waits', async (t) => {
  const path = made('worker-file', noise(3 << 20))
  const expected = digestBytes(readFileSync(path))
  const workers = [inWorker(t, path, false), inWorker(t, path, true), inWorker(t, path, true)]
  const answers = await Promise.all(workers.map((worker) => once(worker, 'message')))
  t.deepEqual(answers.flat(), [expected, expected, expected])
  for (const worker of workers) await worker.terminate()
  t.is(await digestFile(path), expected)
})
