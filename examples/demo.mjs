// npm run demo: writes a real OCI image layout without any network, verifies and unpacks it, and runs containers from
// it inside this Node process. Works as root (with limits) and as an ordinary user (rootless).
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Image, Runtime } from 'caisson'

const folder = mkdtempSync(join(tmpdir(), 'caisson-demo-'))
const layout = join(folder, 'images')
const reference = `oci:${layout}:demo`
// The state stays where it is usual; the layers go with the demo.
const runtime = new Runtime({ store: join(folder, 'store') })
const limits = process.getuid() === 0 ? { memory: '64MiB', pids: 32 } : {}

try {
  // 1. An image: the host's own sh and a few tools, with the libraries they need, as one gzip layer.
  const image = await Image.fromHost({
    layout,
    tag: 'demo',
    programs: ['sh', 'cat', 'head', 'hostname', 'id', 'ls', 'uname', 'sleep'],
  })
  console.log(`image      ${reference}`)
  console.log(`manifest   ${image.digest}`)

  // 2. A container from it. Size, digest and diffID of every blob are verified while it is unpacked.
  const script =
    'echo "hello from pid $$, uid $(id -u), host $(hostname)"; ls /; cat /proc/self/cgroup | head -n 3 2>/dev/null; exit 7'
  const { stdout, exitCode, durationMs } = await runtime.run(reference, ['sh', '-c', script], {
    hostname: 'caisson',
    reject: false,
    ...limits,
  })
  console.log(stdout.trimEnd().replace(/^/gm, '  | '))
  console.log(`exit code  ${exitCode}, ${durationMs.toFixed(1)} ms with unpacking`)

  // 3. The same image as a bundle, step by step: create, start, state, kill, wait, delete.
  const bundle = join(folder, 'bundle')
  await image.unpack(bundle, { args: ['sleep', '60'], rootless: process.getuid() !== 0 })
  const container = await runtime.create(`demo-${process.pid}`, { bundle })
  console.log(`created    ${container.id}, pid ${container.pid}, ${(await container.state()).status}`)
  const before = performance.now()
  await container.start()
  console.log(
    `started    in ${(performance.now() - before).toFixed(1)} ms, ${(await container.state()).status}`,
  )
  await container.kill('SIGKILL')
  const end = await container.wait()
  console.log(`ended      by ${end.signal}, out of memory: ${end.oomKilled}`)
  await container.delete()

  // 4. A limit that bites: more processes than allowed (needs the right to use cgroups).
  if (limits.pids) {
    const fork = 'i=0; while [ $i -lt 40 ]; do sleep 1 & i=$((i+1)); done; wait'
    const { stderr } = await runtime.run(reference, ['sh', '-c', fork], { reject: false, pids: 16 })
    console.log(`pids: 16   ${stderr.trim().split('\n')[0]}`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
