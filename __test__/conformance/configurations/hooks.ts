/** Hooks: when they run, what they get, and what their failure means. */
import { edit, type Table } from './edit.ts'

const POINTS = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'] as const

const hook = (bundle: string, name: string, more: object = {}) => ({
  path: '/bin/sh',
  args: [
    'sh',
    '-c',
    `read -r state; case $state in *'"id"'*) echo ${name} $MINE;; esac >> '${bundle}/hooks'`,
  ],
  env: ['PATH=/usr/bin:/bin'],
  ...more,
})
const hooks = (...names: string[]) =>
  edit(
    (spec, { bundle }) =>
      void (spec.hooks = Object.fromEntries(
        names.map((name) => [name, [hook(bundle, name), hook(bundle, `${name}-2`)]]),
      )),
  )
const failing = (name: string) => edit((spec) => void (spec.hooks = { [name]: [{ path: '/bin/false' }] }))

export const hookTable: Table = {
  'hooks of the host, of every kind': hooks(...POINTS),
  'hooks before the start': hooks('createRuntime', 'createContainer'),
  'hooks after': hooks('poststart', 'poststop'),
  'a hook with an environment': edit(
    (spec, { bundle }) =>
      void (spec.hooks = {
        createRuntime: [hook(bundle, 'with', { env: ['PATH=/usr/bin:/bin', 'MINE=own'] })],
      }),
  ),
  'a hook with a timeout': edit(
    (spec, { bundle }) => void (spec.hooks = { createRuntime: [hook(bundle, 'timed', { timeout: 30 })] }),
  ),
  'a hook inside': {
    edit: (spec) => {
      const args = ['sh', '-c', 'cat > /dev/shm/state; pwd > /dev/shm/cwd; chmod 604 /dev/shm/*']
      spec.hooks = { startContainer: [{ path: '/bin/sh', args, env: ['PATH=/bin'] }] }
    },
    places: ['/dev/shm/cwd'],
  },
  'a hook inside that fails': failing('startContainer'),
  'a prestart hook that fails': failing('prestart'),
  'a hook before the start that fails': failing('createRuntime'),
  'a createContainer hook that fails': failing('createContainer'),
  'a hook after the start that fails': failing('poststart'),
  'a hook after the end that fails': failing('poststop'),
  'a hook that is missing': edit(
    (spec) => void (spec.hooks = { createRuntime: [{ path: '/no/such/hook' }] }),
  ),
  'a hook that takes too long': edit(
    (spec) =>
      void (spec.hooks = { createRuntime: [{ path: '/bin/sleep', args: ['sleep', '60'], timeout: 1 }] }),
  ),
}
