/** `features`, `plan` and `image unpack`. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Image } from '../../ts/index.ts'
import { sameAsRunc, withUs } from './session.ts'

interface Features {
  ociVersionMin: string
  ociVersionMax: string
  hooks: string[]
  mountOptions: string[]
  linux: { namespaces: string[]; capabilities: string[]; cgroup: Record<string, boolean> }
}

sameAsRunc('features: what runc 1.1 can do', async (session) => {
  const features = JSON.parse((await session.exactly(['features'])).stdout) as Features
  const { hooks, linux } = features
  session.note([features.ociVersionMin, [...hooks].sort()])
  // The namespace of time came to the specification later, runc 1.1 ends with the capabilities of Linux 5.9.
  session.note(linux.namespaces.filter((type) => type !== 'time').sort())
  session.note(linux.capabilities.filter((name) => name !== 'CAP_CHECKPOINT_RESTORE').sort())
})

withUs('features: every mount option that is listed is accepted', async (session, t) => {
  const { mountOptions } = JSON.parse((await session.exactly(['features'])).stdout) as Features
  t.true(mountOptions.length > 40)
  const mappings = [{ containerID: 0, hostID: 0, size: 1 }]
  const mapped = {
    namespaces: ['mount', 'user', 'uts', 'pid'].map((type) => ({ type })),
    uidMappings: mappings,
    gidMappings: mappings,
  }
  for (const option of mountOptions) {
    const source = join(session.directory, 'source')
    mkdirSync(source, { recursive: true })
    session.configure(['true'], ({ mounts, linux }) => {
      if (option.endsWith('idmap')) Object.assign(linux!, mapped)
      if (option === 'tmpcopyup') mounts!.push({ destination: '/data', type: 'tmpfs', options: [option] })
      else
        mounts!.push({
          destination: '/data',
          source,
          options: option.endsWith('bind') ? [option] : ['bind', option],
        })
    })
    const { status, stderr } = await session.say(['plan'])
    t.is(status, 0, `${option}: ${stderr}`)
  }
})

withUs('plan shows the operations and changes nothing', async (session, t) => {
  session.configure(['sleep', '7'], (spec) => (spec.hostname = 'planned'))
  const { status, stdout } = await session.say(['plan', '--bundle', session.bundle], { cwd: '/' })
  t.is(status, 0)
  t.true(stdout.includes('"planned"'))
  t.false(existsSync(session.root))
})

withUs('image unpack makes a bundle that runs', async (session, t) => {
  const layout = join(session.directory, 'layout')
  await Image.fromHost({ layout, programs: ['sh', 'id'] })
  const bundle = join(session.directory, 'unpacked')
  const unpacked = await session.say(['image', 'unpack', `oci:${layout}:latest`, bundle])
  t.deepEqual([unpacked.status, unpacked.stdout, unpacked.stderr], [0, '', ''])
  const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as {
    process: { args: string[]; terminal?: boolean }
  }
  config.process.args = ['sh', '-c', 'id -u']
  config.process.terminal = false
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config))
  const { status, stdout } = await session.say(['run', '--bundle', bundle, session.id])
  t.deepEqual([status, stdout], [0, '0\n'])
  const again = await session.say(['image', 'unpack', `oci:${layout}:latest`, bundle])
  t.is(again.status, 1)
  t.true(again.stderr.includes(bundle), again.stderr)
  const none = await session.say([
    'image',
    'unpack',
    `oci:${layout}:nosuchtag`,
    join(session.directory, 'other'),
  ])
  t.is(none.status, 1)
  t.regex(none.stderr, /nosuchtag/)
  t.false(existsSync(join(session.directory, 'other')))
})
