/** A created container whose first process is stopped: no operation waits for it. */
import { join } from 'node:path'
import { Runtime } from '../../ts/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import { needs } from '../fixtures/needs.ts'
import { nextLine, program } from '../fixtures/program.ts'
import { remains } from '../fixtures/remains.ts'
import { scratch } from '../fixtures/rootfs.ts'

needs('root', 'cgroup')(
  'state, list, start and forced delete answer for a container that is stopped',
  async (t) => {
    const root = join(scratch('state'), 'root')
    const id = `stopped-${process.pid}`
    // Made by another process: its start goes through the socket.
    const creator = program(`
import { Runtime } from 'caisson'
const options = { bundle: ${JSON.stringify(bundle({ args: ['sleep', '600'] }))}, stdio: 'ignore', detached: true } as const
const { pid } = await new Runtime({ root: ${JSON.stringify(root)} }).create(${JSON.stringify(id)}, options)
console.log(pid)
`)
    const pid = Number(await nextLine(creator))
    await creator.ended
    process.kill(pid, 'SIGSTOP')
    const runtime = new Runtime({ root })
    const container = await runtime.get(id)
    for (let call = 0; call < 40; call++) t.is((await container.state()).status, 'created', `call ${call}`)
    t.is((await runtime.list())[0]?.status, 'created')
    await t.throwsAsync(container.start(), { message: /connection|request to start/ })
    await container.delete({ force: true })
    const left = remains(root, id)
    t.deepEqual([left.processes, left.cgroups, left.directories], [[], [], []])
  },
)
