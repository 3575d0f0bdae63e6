import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from '../fixtures/text.ts'
import { sameAsRunc, withUs, type Session, type Talk } from './session.ts'

const withTerminal = (session: Session, args: string[]): void =>
  session.configure(args, ({ process }) => {
    process!.terminal = true
    process!.consoleSize = { width: 91, height: 33 }
  })

sameAsRunc('a terminal needs a console socket where the command returns, and only there', async (session) => {
  withTerminal(session, ['true'])
  await session.say(['create', session.id])
  await session.say(['run', '--detach', session.id])
  await session.say(['run', '--console-socket', join(session.directory, 'none'), session.id])
  session.configure(['true'])
  await session.say(['create', '--console-socket', join(session.directory, 'none'), session.id])
})

// runc wants a terminal of its own here; crun does not.
withUs(
  'in the foreground without a terminal of one’s own: lines end as the program ends them',
  async (session, t) => {
    withTerminal(session, [
      'sh',
      '-c',
      'tty; test -t 0 && test -t 1 && test -t 2 && echo all; read -r line; echo "$line"; exit 6',
    ])
    const { status, stdout } = await session.say(['run', session.id], { input: 'typed\n' })
    t.is(status, 6)
    t.is(stdout.replace(/^typed\n/m, ''), '/dev/pts/0\nall\ntyped\n') // less the echo, which comes at any time
  },
)

/** Listens, receives one descriptor, and prints the name sent with it and everything that the terminal outputs. */
const RECEIVER = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); s.bind(sys.argv[1]); s.listen(1); print('ready', flush=True)
c, _ = s.accept(); name, fds, _, _ = socket.recv_fds(c, 100, 8)
out = b''
while True:
    try: data = os.read(fds[0], 100)
    except OSError: break
    if not data: break
    out += data
print(len(fds), name.decode(), repr(out.decode()))`

/**
 * Runs the command on a terminal of 120 columns and 40 lines, resizes it, presses keys, and prints all output.
 */
const CALLER = `
import fcntl, os, pty, signal, struct, sys, termios, time
pid, master = pty.fork()
if pid == 0:
    time.sleep(0.2)
    os.execvp(sys.argv[1], sys.argv[1:])
size = lambda rows, columns: fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
size(40, 120)
out = b''
steps = [(b'ready', lambda: os.write(master, b'typed\\n')), (b'resize', lambda: size(50, 200)), (b'interrupt', lambda: os.write(master, b'\\x03'))]
while True:
    try: data = os.read(master, 1000)
    except OSError: break
    if not data: break
    out += data
    while steps and steps[0][0] in out: steps.pop(0)[1]()
print(repr(out.decode()), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`

const withPython = (title: string, talk: Talk): void => sameAsRunc(title, talk, 'python3')

withPython('the console socket gets the master', async (session) => {
  withTerminal(session, ['sh', '-c', 'stty size; stat -c "%F %a %u %g" /dev/console; tty; echo done'])
  const socket = join(session.directory, 'socket')
  const receiver = spawn('python3', ['-c', RECEIVER, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]()
  await lines.next() // it listens
  await session.say(['create', '--console-socket', socket, session.id])
  await session.say(['start', session.id])
  session.note((await lines.next()).value)
})

withPython('on a terminal: keys, size, resizing and the interrupt reach the program', async (session) => {
  const script =
    'sleep 0.5; stty size; echo ready; read -r line; echo "got $line"; trap "stty size" WINCH; trap "echo ended; exit 9" INT; echo resize; while :; do sleep 0.1; done'
  withTerminal(session, ['sh', '-c', script.replace('stty size"', 'stty size; echo interrupt"')])
  const command = session.command(['--root', session.root, 'run', '--bundle', session.bundle, session.id])
  const caller = spawn('python3', ['-c', CALLER, ...command], { stdio: ['ignore', 'pipe', 'inherit'] })
  session.note(await text(caller.stdout))
})

/** Closes the terminal once the program has said that it is ready; prints how the command ended. */
const LEAVER = `
import os, pty, sys
pid, master = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
out = b''
while b'ready' not in out: out += os.read(master, 1000)
os.close(master)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`

withPython('a terminal that goes away leaves the program its status', async (session) => {
  withTerminal(session, ['sh', '-c', 'trap "" HUP; echo ready; sleep 0.5; exit 5'])
  const command = session.command(['--root', session.root, 'run', '--bundle', session.bundle, session.id])
  const caller = spawn('python3', ['-c', LEAVER, ...command], { stdio: ['ignore', 'pipe', 'inherit'] })
  session.note(await text(caller.stdout))
})

/** Prints how many bytes the command wrote to its terminal until the end. */
const COUNTER = `
import os, pty, sys
pid, master = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
count = 0
while True:
    try: count += len(os.read(master, 1000))
    except OSError: break
print(count, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`

withPython('all that the program writes reaches the terminal', async (session) => {
  withTerminal(session, ['seq', '1', '3000'])
  for (let time = 0; time < 5; time++) {
    const command = session.command(['--root', session.root, 'run', '--bundle', session.bundle, session.id])
    const caller = spawn('python3', ['-c', COUNTER, ...command], { stdio: ['ignore', 'pipe', 'inherit'] })
    session.note(await text(caller.stdout))
  }
})
