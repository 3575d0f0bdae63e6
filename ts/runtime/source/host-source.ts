/**
 * `'host'` as a source: programs of this host, confined, with no image at all. The container sees the host's `/usr`
 * read-only, a `/etc` made for it, and memory for what it writes.
 *
 * SECURITY: what is seen is a list; everything else is not there. Nothing of the host can be written to. Of `/etc` and
 * `/usr/local/etc` only files that every user of the host may read are there: no shadow files, no private keys.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { SpecError } from '../../errors.ts'
import { ContainerDirectory } from '../../image/store/container-directory.ts'
import type { Mount, RuntimeSpec } from '../../spec/index.ts'
import { leaseOf, type ContainerPlace } from './container-place.ts'
import { BUNDLES } from '../state/id.ts'
import { ownBundle } from './own-bundle.ts'
import { isPublic, privateEntries } from './private-entries.ts'
import { base, usersOf, type Resolved } from './source.ts'
import { applyOptions, withDefaultProfile, type SpecOptions } from './spec-options.ts'

/** Links into `/usr` on merged systems, directories of their own on others. */
const PROGRAMS = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']
const DIRECTORIES = ['usr', 'dev', 'proc', 'sys', 'etc', 'tmp', 'run', 'var', 'var/tmp', 'root', 'home']
/** What programs look for to be loaded, to know the time zone, names of services and hosts. */
const FILES = [
  'ld.so.cache',
  'ld.so.conf',
  'localtime',
  'mime.types',
  'os-release',
  'protocols',
  'resolv.conf',
  'services',
  'ssl/openssl.cnf',
]
/** Public certificates, and links that distributions choose programs by. */
const TREES = ['alternatives', 'ca-certificates', 'ld.so.conf.d', 'pki/ca-trust/extracted', 'ssl/certs']
const MADE: Readonly<Record<string, string>> = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  group: 'root:x:0:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost\n::1 localhost\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
}
/** Larger files of `/etc` are not what this is for. */
const MAX_FILE = 4 << 20
/** Settings of the host below what is shown whole. */
const SETTINGS = '/usr/local/etc'

/** Throws `ERR_INVALID_OPTION`. */
export async function resolveHost(options: SpecOptions, place: ContainerPlace): Promise<Resolved> {
  if (options.args === undefined) {
    const issue = { path: 'args', message: 'must name a program: the host says none of its own' }
    throw new SpecError('ERR_INVALID_OPTION', 'options', [issue])
  }
  const lease = leaseOf(place, [])
  // Beside the states, which are in memory as a rule.
  const directory = ContainerDirectory.create(join(dirname(place.stateDirectory), BUNDLES), lease)
  return ownBundle(directory, (rootfs) => specOf(rootfs, makeRoot(rootfs), options, place.rootless))
}

function specOf(rootfs: string, mounts: Mount[], options: SpecOptions, rootless: boolean): RuntimeSpec {
  const spec = base(rootless)
  spec.root = { path: 'rootfs', readonly: true }
  spec.mounts = [...mounts, ...(spec.mounts ?? [])]
  const masked = mounts.flatMap(({ destination }) =>
    destination === '/usr' ? closedBelow(SETTINGS) : closedBelow(destination),
  )
  spec.linux = { ...spec.linux, maskedPaths: [...(spec.linux?.maskedPaths ?? []), ...masked] }
  return applyOptions(spec, withDefaultProfile(options), usersOf(rootfs))
}

/** Fills a directory; returns what is mounted in it. */
function makeRoot(root: string): Mount[] {
  for (const name of ['', ...DIRECTORIES]) mkdirSync(join(root, name), { mode: 0o755 })
  const mounts: Mount[] = [visible('/usr'), ...['/tmp', '/var/tmp', '/run', '/root', '/home'].map(memory)]
  for (const name of PROGRAMS) {
    const status = lstatSync(`/${name}`, { throwIfNoEntry: false })
    const target = status?.isSymbolicLink() ? readlinkSync(`/${name}`) : undefined
    if (target !== undefined && /^\/?usr\//.test(target)) symlinkSync(target, join(root, name))
    else if (status?.isDirectory()) mounts.push(visibleIn(root, `/${name}`))
  }
  for (const [name, text] of Object.entries(MADE)) writeFileSync(join(root, 'etc', name), text)
  for (const name of FILES) copyPublic(`/etc/${name}`, join(root, 'etc', name))
  for (const name of TREES) {
    if (isPublicDirectory(`/etc/${name}`)) mounts.push(visibleIn(root, `/etc/${name}`))
  }
  return mounts
}

/** A directory of the host, and what is mounted in it: readable, not writable, no set-user-id, no devices. */
function visible(path: string): Mount {
  return { destination: path, source: path, type: 'none', options: ['rbind', 'rro', 'rnosuid', 'rnodev'] }
}

function visibleIn(root: string, path: string): Mount {
  mkdirSync(join(root, path), { recursive: true, mode: 0o755 })
  return visible(path)
}

function memory(destination: string): Mount {
  const mode = destination.endsWith('tmp') ? 'mode=1777' : destination === '/root' ? 'mode=700' : 'mode=755'
  return { destination, source: 'tmpfs', type: 'tmpfs', options: ['nosuid', 'nodev', mode] }
}

/** SECURITY: the program may be root and read what its owner alone may read. */
function closedBelow(directory: string): string[] {
  if (!directory.startsWith('/etc/') && directory !== SETTINGS) return []
  if (!existsSync(directory)) return []
  return isPublic(directory) ? (privateEntries(directory) ?? [directory]) : [directory]
}

function isPublicDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true && isPublic(path)
}

function copyPublic(from: string, to: string): void {
  const status = statSync(from, { throwIfNoEntry: false })
  if (!status?.isFile() || status.size > MAX_FILE || (status.mode & 0o004) === 0) return
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 })
  copyFileSync(from, to)
  chmodSync(to, 0o644)
}
