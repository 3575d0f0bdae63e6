/** The leftovers of a killed process are swept in the background; no start waits for the sweep. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Runtime } from '../../ts/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import { needs } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { until } from '../fixtures/until.ts'

/** An attached container whose owner is gone. */
function leave(root: string, id: string): void {
  mkdirSync(join(root, id), { recursive: true, mode: 0o700 })
  const state = {
    version: 2,
    id,
    ociVersion: '1.0.2',
    bundle: '/nowhere',
    rootfs: '/nowhere/rootfs',
    annotations: {},
    created: '2026-01-01T00:00:00.000000000Z',
    owner: 'root',
    status: 'ready',
    attached: true,
    ownerPid: 1,
    ownerStartTime: '1',
    bootId: 'another',
    pid: 1,
    startTime: '1',
    cgroup: { mode: 'none', directories: [] },
    terminal: false,
    pidNamespace: true,
  }
  writeFileSync(join(root, id, 'state.json'), JSON.stringify(state), { mode: 0o600 })
  writeFileSync(join(root, id, 'config.json'), '{}', { mode: 0o600 })
}

needs('root')(
  'leftovers are swept, a damaged or foreign one is not, and their ids can be taken at once',
  async (t) => {
    const root = join(scratch('sweep'), 'root')
    for (let number = 0; number < 500; number++) leave(root, `left-${number}`)
    leave(root, 'unreadable')
    writeFileSync(join(root, 'unreadable/state.json'), '{')
    const runtime = new Runtime({ root })
    // The last one in the order of the sweep.
    const container = await runtime.create('left-99', { bundle: bundle(), stdio: 'ignore' })
    await container.start()
    await container.wait()
    await until(() => readdirSync(root).length <= 2, 'they are swept')
    await container.delete()
    t.deepEqual(readdirSync(root), ['unreadable'])
    t.true(existsSync(join(root, 'unreadable/config.json')))
    t.deepEqual(
      (await runtime.list()).map(({ id, status }) => [id, status]),
      [['unreadable', 'damaged']],
    )
  },
)
