// A disk that fills up under a program: writes below /data fail with ENOSPC after 1 KiB, and the program's own error
// handling is what is tested. node examples/fault-injection.mjs, as root or as an ordinary user.
import { run } from 'caisson'

const LIMIT = 1024
const open = new Set()
let written = 0

/** openat(directory, path, flags, mode) and write(descriptor, bytes, count). */
async function notify(call) {
  const [first, second, third] = call.arguments
  if (call.name === 'openat') {
    const path = await call.readString(second)
    console.log(`${call.pid} opens ${path}`)
    if (path.startsWith('/data/')) open.add(call.pid)
    return call.continue()
  }
  // A descriptor above the standard streams, in a process that has opened a file below /data.
  if (first <= 2n || !open.has(call.pid)) return call.continue()
  written += Number(third)
  return written > LIMIT ? call.errno('ENOSPC') : call.continue()
}

const script =
  'mkdir -p /data; yes data | head -c 4096 | dd of=/data/file bs=256; echo "status $?"; wc -c /data/file'
const { stdout, stderr } = await run('host', ['bash', '-c', script], {
  seccomp: {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['openat', 'write'], action: 'SCMP_ACT_NOTIFY' }],
    notify,
  },
})
console.log(stdout + stderr)
