/**
 * `rootless: true` means the same for root as for an ordinary user, and the state root of a user namespace is its
 * user's.
 */
import { join } from 'node:path'
import { Runtime } from '../../ts/index.ts'
import { needs } from '../fixtures/needs.ts'
import { nextLine, program } from '../fixtures/program.ts'
import { makeRootfs, scratch } from '../fixtures/rootfs.ts'

needs('root', 'busybox')(
  'root gets a user namespace where it asks for one, whatever the source',
  async (t) => {
    const folder = scratch('rootless-option')
    makeRootfs(join(folder, 'rootfs'))
    const map = ['cat', '/proc/self/uid_map']
    const words = (text: string): string => text.trim().split(/\s+/).join(' ')
    for (const source of [{ rootfs: join(folder, 'rootfs') }, 'host'] as const) {
      const of = (rootless?: boolean): Runtime => new Runtime({ root: join(folder, 'state'), rootless })
      t.is(words((await of(true).run(source, map)).stdout), '0 0 1')
      t.is(words((await of(false).run(source, map)).stdout), '0 0 4294967295')
      t.is(words((await of().run(source, map)).stdout), '0 0 4294967295')
    }
  },
)

needs('userns')('root of a user namespace has the state root of its user', async (t) => {
  const rootOf = async (env: string): Promise<string> => {
    const running = program(`console.log(new (await import('caisson')).Runtime().root)`, {
      under: ['unshare', '--user', '--map-root-user', 'env', '-u', 'USER', ...env.split(' ')],
    })
    const line = await nextLine(running)
    await running.ended
    return line
  }
  t.is(await rootOf('XDG_RUNTIME_DIR=/run/user/7'), '/run/user/7/caisson')
  // COMPAT(runc): in a container, whose root is told that it is root.
  if (process.geteuid?.() === 0) t.is(await rootOf('XDG_RUNTIME_DIR=/run/user/7 USER=root'), '/run/caisson')
})
