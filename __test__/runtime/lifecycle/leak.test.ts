import { join } from 'node:path'
import { Runtime } from '../../../ts/index.ts'
import { bundle } from '../../fixtures/bundle.ts'
import { needs } from '../../fixtures/needs.ts'
import { remains, type Remains } from '../../fixtures/remains.ts'
import { scratch } from '../../fixtures/rootfs.ts'
import { until } from '../../fixtures/until.ts'

const STARTS = 1000
const AT_ONCE = 10

needs('root')('a thousand starts leave no process, mount, cgroup, directory or descriptor', async (t) => {
  const root = join(scratch('state'), 'root')
  const runtime = new Runtime({ root })
  const prefix = `leak-${process.pid}-`
  const [plain, missing] = [bundle(), bundle({ args: ['no-such-program'] })]
  let serial = 0
  let ran = 0
  let failed = 0
  const one = async (): Promise<void> => {
    const number = serial++
    const id = `${prefix}${number}`
    // Every way a start can go: to its end with streams read, unread or without, deleted unstarted, and failing.
    if (number % 10 === 9) {
      await t.throwsAsync(runtime.create(id, { bundle: missing }), { code: 'ERR_EXEC_NOT_FOUND' })
      failed++
      return
    }
    const container = await runtime.create(id, { bundle: plain, stdio: number % 2 ? 'pipe' : 'ignore' })
    if (number % 10 !== 8) {
      if (number % 4 === 1) container.stdout?.resume()
      await container.start()
      await container.wait()
    }
    await container.delete()
    ran++
  }
  for (let warm = 0; warm < 20; warm++) await one()
  const before = remains(root, prefix)
  const worker = async (): Promise<void> => {
    while (serial < STARTS) await one()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  const seen = (): Remains => remains(root, prefix)
  await until(() => seen().descriptors <= before.descriptors, 'streams are closed, a turn after their end')
  const after = seen()
  t.true(ran + failed >= STARTS && failed >= STARTS / 10)
  t.deepEqual([after.processes, after.cgroups, after.directories], [[], [], []])
  t.is(after.mounts, before.mounts)
})
