/** Worker threads: test runners use them, and Node tracks there who closes which descriptor. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { tryLockDirectory } from '../../ts/native/lock.ts'
import { needs } from '../fixtures/needs.ts'
import { checkout } from '../fixtures/program.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { text } from '../fixtures/text.ts'

interface Said {
  status: number
  stdout: string
  stderr: string
}

/** Runs a program in a thread of a new process (the tests' own threads print no warnings); `folder` is its argument. */
async function inWorker(source: string, folder: string): Promise<Said> {
  const thread = `
    const library = (path) => import(${JSON.stringify(`file://${checkout}/ts/`)} + path)
    ;(async () => {
      const { workerData: folder } = await import('node:worker_threads')
      ${source}
    })()`
  const main = `
    import { Worker } from 'node:worker_threads'
    new Worker(${JSON.stringify(thread)}, { eval: true, workerData: ${JSON.stringify(folder)} })`
  const node = ['--import=@oxc-node/core/register', '--input-type=module', '--eval', main]
  const child = spawn(process.execPath, node, { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = Promise.all([text(child.stdout), text(child.stderr)])
  const [status] = (await once(child, 'exit')) as [number]
  const [stdout, stderr] = await output
  return { status, stdout, stderr }
}

const container = process.geteuid?.() === 0 ? test : needs('userns')

container('an image container in a worker thread prints no warning', async (t) => {
  const { status, stdout, stderr } = await inWorker(
    `const { Image, Runtime } = await library('index.ts')
     const layout = folder + '/layout'
     const image = await Image.fromHost({ layout, tag: 'host', programs: ['sh', 'echo', 'cat'] })
     const runtime = new Runtime({ root: folder + '/root', store: folder + '/store' })
     const ran = await runtime.run(image, ['sh', '-c', 'cat; echo all; echo well >&2'], { input: 'in ' })
     process.stdout.write(ran.stdout + ran.stderr)
     // Unclaimed pipes are closed with the container, too.
     const unread = await runtime.create('unread', { image, args: ['echo'] })
     await unread.start()
     await unread.wait()
     await unread.delete()
     for await (const chunk of image.readFile('/bin/sh')) void chunk`,
    scratch('worker'),
  )
  t.is(stderr, '')
  t.is(stdout, 'in all\nwell\n')
  t.is(status, 0)
})

test('the locks of a thread end with it', async (t) => {
  const folder = scratch('worker-lock')
  const locked = join(folder, 'locked')
  mkdirSync(locked)
  const { status, stdout, stderr } = await inWorker(
    `const { tryLockDirectory, lockDirectory } = await library('native/lock.ts')
     const locked = folder + '/locked'
     const lock = tryLockDirectory(locked, 'exclusive')
     process.stdout.write(String(tryLockDirectory(locked, 'shared')))
     lock.close()
     lock.close()
     const other = await lockDirectory(locked, 'shared')
     await other.closeAside()
     tryLockDirectory(locked, 'exclusive')`,
    folder,
  )
  t.deepEqual({ status, stdout, stderr }, { status: 0, stdout: 'undefined', stderr: '' })
  using again = tryLockDirectory(locked, 'exclusive')
  t.truthy(again)
})
