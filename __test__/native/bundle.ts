/** Bundles for the tests of the native face: busybox, and a config.json as `runc spec` writes it. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

export type Json = Record<string, unknown>

/** A directory for one test, removed with it. */
export interface Bundle {
  /** State root. */
  root: string
  bundle: string
  rootfs: string
  config: Json & {
    process: Json
    root: Json
    linux: Json & { namespaces: { type: string; path?: string }[] }
  }
  /** Writes `config` to the bundle. */
  save(): void
}

const APPLETS = [
  'sh',
  'true',
  'false',
  'echo',
  'cat',
  'sleep',
  'id',
  'ls',
  'kill',
  'stty',
  'grep',
  'head',
  'dd',
]

/** Makes a bundle that runs `args`. */
export function makeBundle(t: ExecutionContext, args: string[] = ['/bin/true']): Bundle {
  const folder = mkdtempSync(join(tmpdir(), 'caisson-native-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  chmodSync(folder, 0o755)
  return bundleIn(folder, args)
}

/** The same in an existing directory (for child processes, which have no teardown). */
export function bundleIn(folder: string, args: string[]): Bundle {
  const [bundle, rootfs, root] = [
    join(folder, 'bundle'),
    join(folder, 'bundle/rootfs'),
    join(folder, 'state'),
  ]
  for (const name of ['bin', 'proc', 'sys', 'dev', 'tmp', 'etc']) {
    mkdirSync(join(rootfs, name), { recursive: true })
  }
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'))
  for (const applet of APPLETS) symlinkSync('busybox', join(rootfs, 'bin', applet))
  const config = specification(args)
  const made = {
    root,
    bundle,
    rootfs,
    config,
    save: (): void => writeFileSync(join(bundle, 'config.json'), JSON.stringify(config)),
  }
  made.save()
  return made
}

function specification(args: string[]): Bundle['config'] {
  const capabilities = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']
  const mount = (destination: string, type: string, options: string[]): Json => ({
    destination,
    type,
    source: type,
    options,
  })
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args,
      env: ['PATH=/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: false },
    hostname: 'native',
    mounts: [
      mount('/proc', 'proc', ['nosuid', 'noexec', 'nodev']),
      mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
      mount('/dev/pts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620']),
      mount('/dev/shm', 'tmpfs', ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k']),
      mount('/sys', 'sysfs', ['nosuid', 'noexec', 'nodev', 'ro']),
    ],
    linux: {
      namespaces: [{ type: 'pid' }, { type: 'network' }, { type: 'ipc' }, { type: 'uts' }, { type: 'mount' }],
      maskedPaths: ['/proc/kcore', '/proc/keys', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  }
}
