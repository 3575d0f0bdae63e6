import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { CaissonError, Runtime, Store } from '../../ts/index.ts'
import { needs } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { makeImage, names, plainImage } from './images.ts'

const privileged = needs('root', 'busybox')

/** A directory on an overlay on … on a tmpfs, so deep. */
function overlays(depth: number): { path: string; unmount: () => void } {
  const top = scratch('stack')
  spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', top])
  let path = join(top, '0')
  mkdirSync(path)
  const mounted = [top]
  for (let level = 1; level <= depth; level++) {
    const [merged, upper, work] = ['merged', 'upper', 'work'].map((name) => join(top, `${level}-${name}`))
    for (const folder of [merged!, upper!, work!]) mkdirSync(folder)
    const options = `lowerdir=${path},upperdir=${upper},workdir=${work}`
    spawnSync('mount', ['-t', 'overlay', 'overlay', '-o', options, merged!])
    mounted.push(merged!)
    path = merged!
  }
  const unmount = (): void => mounted.reverse().forEach((point) => void spawnSync('umount', ['-l', point]))
  return { path, unmount }
}

privileged('on an overlay, as inside another container, writes go to memory', async (t) => {
  const { path, unmount } = overlays(1)
  try {
    const store = new Store({ root: join(path, 'store'), durability: 'none' })
    const runtime = new Runtime({ root: join(scratch('state'), 'run'), store })
    const image = plainImage()
    t.is((await runtime.run(image, ['sh', '-c', 'touch /x; cat /x /original'])).stdout, 'original')
    t.is((await store.list()).snapshots.length, 2)
    const refused = async (): Promise<void> =>
      void (await runtime.run(image, ['true'], { writable: 'disk', layering: 'overlay' }))
    const error = await t.throwsAsync(refused, { instanceOf: CaissonError, code: 'ERR_OVERLAY_UNAVAILABLE' })
    t.regex(error!.message, /must not lie on an overlay/)
    t.deepEqual(names(store.root, 'containers'), [])
  } finally {
    unmount()
  }
})

privileged('an overlay holds no whiteouts: an image with some is unpacked for every container', async (t) => {
  const { path, unmount } = overlays(1)
  try {
    const warnings: string[] = []
    const store = new Store({ root: join(path, 'store'), durability: 'none' })
    const onWarning = (message: string): void => void warnings.push(message)
    const runtime = new Runtime({ root: join(scratch('state'), 'run'), store, onWarning })
    const { stdout } = await runtime.run(makeImage(), ['sh', '-c', 'cat /original; ls /gone'])
    t.is(stdout, 'originalagain\n')
    t.regex(warnings.join(), /unpacked for every container.*takes no whiteouts/)
    const map = [{ containerID: 0, hostID: 300_000, size: 65_536 }]
    const mapped = await runtime.run(makeImage(), ['stat', '-c', '%a %u:%g', '/usr/lib', '/original'], {
      spec: (spec) => {
        spec.linux!.namespaces!.push({ type: 'user' })
        return { ...spec, linux: { ...spec.linux!, uidMappings: map, gidMappings: map } }
      },
    })
    t.is(mapped.stdout, '2755 3:4\n4755 0:0\n')
    t.deepEqual(names(store.root, 'ingest'), [])
    const insist = async (): Promise<void> =>
      void (await runtime.run(makeImage(), ['true'], { layering: 'overlay' }))
    await t.throwsAsync(insist, { code: 'ERR_OVERLAY_UNAVAILABLE' })
  } finally {
    unmount()
  }
})

privileged(
  'where no overlay can be mounted every container gets a copy, and one warning says so',
  async (t) => {
    const { path, unmount } = overlays(2) // the kernel stacks no third one
    try {
      const warnings: string[] = []
      const store = new Store({ root: join(path, 'store'), durability: 'none' })
      const onWarning = (message: string): void => void warnings.push(message)
      const runtime = new Runtime({ root: join(scratch('state'), 'run'), store, onWarning })
      const image = plainImage()
      const line = ['sh', '-c', 'cat /original; touch /x']
      for (let round = 0; round < 2; round++) {
        const { stdout } = await runtime.run(image, line)
        t.is(stdout, 'original')
      }
      t.is(warnings.length, 1)
      t.regex(warnings[0]!, /copied for every container, as no overlay can be mounted/)
      const insist = async (): Promise<void> =>
        void (await runtime.run(image, ['true'], { layering: 'overlay' }))
      await t.throwsAsync(insist, { code: 'ERR_OVERLAY_UNAVAILABLE' })
      t.deepEqual(names(store.root, 'containers'), [])
    } finally {
      unmount()
    }
  },
)
