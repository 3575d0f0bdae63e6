import { spawn } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { ReadStream } from 'node:tty'
import test from 'ava'
import { Engine } from '../../ts/native/engine.ts'
import { makeBundle, type Bundle } from './bundle.ts'
import { create, exitOf, failureOf, requestFor } from './container.ts'
import { nodeArguments } from './elsewhere.ts'

const engine = new Engine()

/** The test, or the test skipped where a program that it needs is missing. */
function needs(program: string): typeof test | typeof test.skip {
  if (existsSync(program)) return test
  console.log(`# SKIP: ${program} is missing`)
  return test.skip
}

function withTerminal(made: Bundle): void {
  Object.assign(made.config.process, { terminal: true, consoleSize: { width: 91, height: 33 } })
  made.save()
}

test('a terminal: its master is ours, its size is the one asked for', async (t) => {
  const made = makeBundle(t, ['sh', '-c', 'stty size; exit 4'])
  withTerminal(made)
  const request = requestFor(made, { stdio: [-1, -1, -1] })
  const created = await create(t, engine, request)
  t.is(typeof created.console, 'number')
  const terminal = new ReadStream(created.console ?? -1)
  let text = ''
  terminal.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  terminal.on('error', () => terminal.destroy()) // EIO: the last user is gone
  const closed = new Promise((resolve) => terminal.on('close', resolve)) // `once` would reject for that EIO
  await engine.start(made.root, request.id)
  t.is((await exitOf(engine, created.handle)).exitCode, 4)
  await closed
  t.regex(text, /^33 91\r\n/)
})

needs('/usr/bin/python3')('a console socket gets the master', async (t) => {
  const made = makeBundle(t, ['sh', '-c', 'echo on the terminal'])
  withTerminal(made)
  const path = join(made.bundle, '..', 'console.sock')
  const receiver = spawn(
    'python3',
    [
      '-c',
      `import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); s.bind(sys.argv[1]); s.listen(1); print('ready', flush=True)
c, _ = s.accept(); name, fds, _, _ = socket.recv_fds(c, 100, 1)
out = b''
while True:
    try: out += os.read(fds[0], 100)
    except OSError: break
print(name.decode(), out.decode().strip())`,
      path,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  t.teardown(() => receiver.kill('SIGKILL'))
  let output = ''
  receiver.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  await once(receiver.stdout, 'data')
  const request = requestFor(made, { stdio: [-1, -1, -1], consoleSocket: path })
  const created = await create(t, engine, request)
  t.is(created.console, undefined)
  await engine.start(made.root, request.id)
  await once(receiver, 'close')
  t.is(output, 'ready\n/dev/ptmx on the terminal\n')
  rmSync(path)
})

test('a console socket without a terminal is refused', async (t) => {
  const made = makeBundle(t)
  const request = requestFor(made, { consoleSocket: '/nonexistent' })
  t.is((await failureOf(t, engine.create(request))).code, 'ERR_INVALID_OPTION')
})

needs('/usr/bin/script')('the command carries its own terminal to the container and back', async (t) => {
  const made = makeBundle(t, ['sh', '-c', 'read -r line; echo "got $line"; stty -a | head -1; exit 5'])
  Object.assign(made.config.process, { terminal: true })
  made.save()
  const request = requestFor(made, { stdio: [-1, -1, -1] })
  t.teardown(() => engine.destroy({ root: request.root, id: request.id, force: true }).catch(() => undefined))
  const body = `
    const request = ${JSON.stringify(request)}
    const { console: master, handle } = await engine.create(request)
    const copied = engine.proxyTerminal(request.id, master, handle)
    await engine.start(request.root, request.id)
    console.error('started')
    await copied
    engine.hold(1)
    const { exitCode } = await engine.exited(handle)
    engine.unhold(1)
    await engine.destroy({ root: request.root, id: request.id, force: false })
    process.exitCode = exitCode`
  const quoted = [process.execPath, ...nodeArguments(body)]
    .map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`)
    .join(' ')
  const child = spawn('script', ['-qfec', `stty rows 41 cols 77; ${quoted}`, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  while (!output.includes('started')) await once(child.stdout, 'data')
  child.stdin.write('a line\r')
  const [status] = (await once(child, 'close')) as [number]
  t.is(status, 5, output)
  t.regex(output, /got a line/)
  t.regex(output, /rows 41; columns 77/)
})
