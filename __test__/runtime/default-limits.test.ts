/** The default limit on open files where the caller's own hard limit is lower. */
import { needs } from '../fixtures/needs.ts'
import { program } from '../fixtures/program.ts'
import { rootfs, scratch } from '../fixtures/rootfs.ts'

needs('userns', 'busybox')('a low hard limit of the caller bounds the default', async (t) => {
  const source = `
    import { Runtime } from 'caisson'
    const runtime = new Runtime({ root: ${JSON.stringify(`${scratch('limits')}/run`)} })
    const { stdout } = await runtime.run({ rootfs: ${JSON.stringify(rootfs())} }, ['sh', '-c', 'ulimit -Hn'])
    console.log(stdout.trim())
  `
  const { lines, ended, child } = program(source, { under: ['sh', '-c', 'ulimit -n 512; exec "$@"', 'sh'] })
  const { value } = await lines.next()
  child.stdin!.end()
  const { code, stderr } = await ended
  t.is(value, '512', stderr)
  t.is(code, 0)
})
