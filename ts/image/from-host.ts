/** An image of the host's own programs, without network and external tools. */
import { hostFiles } from '../native/layer.ts'
import type { BuildOptions } from './build/build.ts'
import type { LayerEntry } from './build/content.ts'
import { sourceDateEpoch } from './build/epoch.ts'
import { DEFAULT_PATH } from './default-spec.ts'
import { checkTag } from './reference.ts'

export interface FromHostOptions {
  /** Layout directory, created if missing. */
  layout: string
  /** Name in the layout; default `latest`. */
  tag?: string | undefined
  /** Names to look up in PATH, or absolute paths. Default: a shell and a few tools. */
  programs?: readonly string[] | undefined
  /** The default command of the image; `['/bin/sh']`. */
  command?: readonly string[] | undefined
  signal?: AbortSignal | undefined
}

const PROGRAMS = [
  'sh',
  'cat',
  'echo',
  'env',
  'false',
  'head',
  'hostname',
  'id',
  'ls',
  'sleep',
  'true',
  'uname',
]
const SEARCH = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin']

/** Directories in every such image, with modes. */
const DIRECTORIES: Record<string, number> = {
  '/': 0o755,
  '/dev': 0o755,
  '/etc': 0o755,
  '/home': 0o755,
  '/proc': 0o555,
  '/root': 0o700,
  '/run': 0o755,
  '/sys': 0o555,
  '/tmp': 0o1777,
  '/usr/bin': 0o755,
  '/var/tmp': 0o1777,
}
const TEXTS = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n',
  group: 'root:x:0:\nnogroup:x:65534:\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
}

/**
 * Builds the image with {@link buildImage}. The same programs give the same image, with or without SOURCE_DATE_EPOCH.
 */
export async function hostImage(options: FromHostOptions): Promise<BuildOptions> {
  const { layout, tag = 'latest', programs = PROGRAMS, command = ['/bin/sh'], signal } = options
  checkTag(tag)
  const entries: LayerEntry[] = [
    ...Object.entries(DIRECTORIES).map(([path, mode]) => ({ path, type: 'directory' as const, mode })),
    { path: '/bin', type: 'symlink', target: 'usr/bin' },
    { path: '/sbin', type: 'symlink', target: 'usr/bin' },
    { path: '/etc', tree: TEXTS },
  ]
  // Whatever the mode on the host: a set-user-id program loses the bit.
  for (const { place, file } of await hostFiles(programs, SEARCH)) {
    entries.push({ path: `/${place}`, content: { file }, mode: 0o755 })
  }
  const createdBy = `caisson from host: ${programs.join(' ')}`
  return {
    layout,
    tag,
    layers: [{ entries, history: { createdBy } }],
    config: { config: { Env: [DEFAULT_PATH], Cmd: [...command] } },
    sourceDateEpoch: sourceDateEpoch() ?? 0,
    signal,
  }
}
