/** Images made by other tools, unpacked by us and by them: the trees must be the same. */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Image } from '../../ts/image/index.ts'
import { scratch } from './fixture.ts'

const root = process.geteuid?.() === 0
const has = (tool: string): boolean => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0
const missing = ['umoci', 'skopeo', 'busybox'].filter((tool) => !has(tool))
const reason = missing.length > 0 ? `not installed: ${missing.join(', ')}` : root ? '' : 'needs root'
const interop = reason === '' ? test : test.skip
if (reason !== '') console.log(`# images of other tools: skipped, ${reason}`)

function sh(command: string, cwd: string): void {
  const { status, stderr } = spawnSync('sh', ['-ec', command], { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command}: ${stderr}`)
}

/** Type, mode, owner, size, time, link target and content of everything, and which names are one file. */
function tree(path: string, firsts = new Map<number, string>(), at = '.'): Record<string, unknown> {
  const all: Record<string, unknown> = {}
  for (const name of readdirSync(path).sort()) {
    const full = join(path, name)
    const shown = `${at}/${name}`
    const status = lstatSync(full)
    const { mode, uid, gid, mtimeMs, rdev, ino } = status
    const same = firsts.get(ino)
    if (same === undefined) firsts.set(ino, shown)
    all[shown] = {
      mode: mode.toString(8),
      uid,
      gid,
      rdev,
      mtime: Math.floor(mtimeMs / 1000),
      same: status.isDirectory() ? undefined : same,
      link: status.isSymbolicLink() ? readlinkSync(full) : undefined,
      content: status.isFile() ? readFileSync(full, 'base64') : undefined,
    }
    if (status.isDirectory()) Object.assign(all, tree(full, firsts, shown))
  }
  return all
}

/** A small system in two layers with a whiteout, as umoci packs it. */
function busyboxLayout(base: string): void {
  sh(
    'umoci init --layout images && umoci new --image images:box && umoci unpack --image images:box one',
    base,
  )
  const rootfs = join(base, 'one/rootfs')
  for (const name of ['bin', 'etc', 'tmp', 'gone', 'var']) mkdirSync(join(rootfs, name))
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'))
  for (const name of ['sh', 'ls', 'id']) linkSync(join(rootfs, 'bin/busybox'), join(rootfs, 'bin', name))
  symlinkSync('busybox', join(rootfs, 'bin/cat'))
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nweb:x:33:33::/srv:/bin/sh\n')
  writeFileSync(join(rootfs, 'gone/file'), 'x')
  writeFileSync(join(rootfs, 'etc/old'), 'old')
  sh(
    'chmod 1777 tmp && mkfifo var/pipe && mknod var/null c 1 3 && chown 33:33 etc/old && chmod 4750 etc/old',
    rootfs,
  )
  utimesSync(join(rootfs, 'etc'), 1, 1_234_567_890)
  sh('umoci repack --image images:box one && umoci unpack --image images:box two', base)
  rmSync(join(base, 'two/rootfs/gone'), { recursive: true })
  rmSync(join(base, 'two/rootfs/etc/old'))
  writeFileSync(join(base, 'two/rootfs/etc/new'), 'new')
  sh('umoci repack --image images:box two', base)
  sh(
    'umoci config --image images:box --config.cmd sh --config.user web --config.env A=1 --config.workingdir /etc',
    base,
  )
}

interop('an image of umoci unpacks to the tree that umoci makes of it', async (t) => {
  const base = scratch(t)
  busyboxLayout(base)
  sh('umoci unpack --image images:box theirs', base)
  const image = await Image.open(`oci:${base}/images:box`)
  await image.unpack(join(base, 'ours'))
  t.true(existsSync(join(base, 'ours/rootfs/etc/new')))
  t.deepEqual(tree(join(base, 'ours/rootfs')), tree(join(base, 'theirs/rootfs')))
  const { process: program } = JSON.parse(readFileSync(join(base, 'ours/config.json'), 'utf8')) as {
    process: { user: object; args: string[]; cwd: string; env: string[]; capabilities: object }
  }
  t.deepEqual(program.user, { uid: 33, gid: 33, additionalGids: [33] })
  t.deepEqual(program.args, ['sh'])
  t.is(program.cwd, '/etc')
  t.true(program.env.includes('A=1') && program.env.includes('HOME=/srv'))
  t.false('ambient' in program.capabilities || 'inheritable' in program.capabilities)
})

for (const format of ['zstd', 'gzip']) {
  interop(`an image that skopeo copied with ${format} unpacks to the same tree`, async (t) => {
    const base = scratch(t)
    busyboxLayout(base)
    const options = `--insecure-policy copy --dest-compress-format ${format} --dest-compress --dest-compress-level 3`
    const { status, stderr } = spawnSync(
      'skopeo',
      [...options.split(' '), 'oci:images:box', 'oci:copied:box'],
      {
        cwd: base,
        encoding: 'utf8',
      },
    )
    if (status !== 0) return void t.pass(`skipped: this skopeo cannot: ${stderr}`)
    await (await Image.open(`oci:${base}/images:box`)).unpackRootfs(join(base, 'first'))
    await (await Image.open(`oci:${base}/copied:box`)).unpackRootfs(join(base, 'second'))
    t.deepEqual(tree(join(base, 'second')), tree(join(base, 'first')))
  })
}

interop('what we make of the host, umoci and skopeo read', async (t) => {
  const base = scratch(t)
  const image = await Image.fromHost({ layout: join(base, 'images'), tag: 'host', programs: ['sh', 'cat'] })
  await image.unpack(join(base, 'ours'))
  sh(
    'umoci unpack --image images:host theirs && skopeo --insecure-policy copy oci:images:host oci:copy:host',
    base,
  )
  t.deepEqual(tree(join(base, 'ours/rootfs')), tree(join(base, 'theirs/rootfs')))
  t.is(
    (await Image.open(`oci:${base}/copy:host`)).config?.rootfs.diff_ids[0],
    image.config?.rootfs.diff_ids[0],
  )
})

test('the same programs give the same image', async (t) => {
  const base = scratch(t)
  const make = (layout: string): Promise<Image> =>
    Image.fromHost({ layout: join(base, layout), programs: ['sh'] })
  t.is((await make('one')).digest, (await make('two')).digest)
})
