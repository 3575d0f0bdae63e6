/**
 * The same image configurations through us, umoci and podman: what a runtime is handed must be the same. Where it is
 * not, the case says why. podman's config.json is the one it hands to its runtime, which here only stores it.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CaissonError } from '../../ts/errors.ts'
import { Image } from '../../ts/image/index.ts'
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import { needs } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { tar, writeLayout, type TestEntry } from './fixture.ts'

type Peer = 'umoci' | 'podman'
interface Case {
  config?: object
  image?: object
  /** Other files than `system`. */
  files?: TestEntry[]
  /** Why a peer's answer differs. */
  except?: Partial<Record<Peer, string>>
}

const passwd = `root:x:0:0::/root:/bin/sh
web:x:33:44::/srv:/bin/sh
web:x:34:45::/second:/bin/sh
same:x:33:46::/same:/x
77:x:5:5::/number:/x
broken:x:abc:1::/broken:/x
`
const group = 'root:x:0:\nweb:x:44:web\nlog:x:9:web,root\n#off:x:10:web\nadm:x:4:web,same\n12:x:13:\n'
const system: TestEntry[] = [
  { name: 'etc/' },
  { name: 'etc/passwd', content: passwd },
  { name: 'etc/group', content: group },
  { name: 'data/kept', content: 'x' },
]
const file = (name: string, content: string): TestEntry => ({ name, content })
const user = (User: string, except?: Case['except']): Case => ({
  config: { User },
  ...(except ? { except } : {}),
})

const cases: Record<string, Case> = {
  'no user': {},
  'a name': user('web'),
  'a number that passwd has': user('33'),
  'a number that passwd has not': user('1000'),
  'two numbers': user('1000:1001'),
  'a name and a group': user('web:log'),
  'a name and a number': user('web:9'),
  'a number and a group': user('33:log'),
  'a group alone': user(':log'),
  'a name with nothing after it': user('web:', {
    podman: 'takes the colon for a group that was named, and leaves the supplementary ones out',
  }),
  'another name of the same number': user('same'),
  'a number that is a name, too': user('77'),
  'a group number that is a name, too': user('33:12'),
  'leading zeros': user('0033'),
  'an unknown name': user('nobody'),
  'an unknown group': user('web:nogroup'),
  'a commented group': user('web:#off'),
  'a number beyond 32 bits': user('4294967296'),
  'a number beyond 31 bits': user('2147483648:0'),
  'a group beyond 32 bits': user('0:4294967296'),
  'a negative number': user('-1'),
  'a number with a sign': user('+5', {
    umoci: 'Go reads a sign, image-spec knows none',
    podman: 'Go reads a sign, image-spec knows none',
  }),
  'a hexadecimal number': user('0x10'),
  'a space before a number': user(' 0'),
  'a line of passwd without a number': user('broken', {
    umoci: 'takes an invalid number as 0: the user would be root',
    podman: 'takes an invalid number as 0: the user would be root',
  }),
  'no passwd, a number': { config: { User: '5:6' }, files: [file('x', 'x')] },
  'no passwd, a name': { config: { User: 'web' }, files: [file('x', 'x')] },
  'passwd as a link inside': {
    config: { User: 'web' },
    files: [file('usr/passwd', passwd), { name: 'etc/passwd', type: '2', link: '/usr/passwd' }],
    except: { umoci: '0.4.7 follows the link on the host' },
  },

  'entrypoint and command': { config: { Entrypoint: ['/e', '-x'], Cmd: ['a', ''] } },
  'an entrypoint alone': { config: { Entrypoint: ['/e'], Cmd: null } },
  'an environment': { config: { Env: ['A=1', 'B=x=y', 'C=', 'PATH=/p'] } },
  'a variable twice': { config: { Env: ['A=1', 'B=2', 'A=3'] } },
  'a home of its own': {
    config: { User: 'web', Env: ['HOME=/mine'] },
    except: { umoci: 'up to 0.6.0 it forces the home of passwd' },
  },
  'a working directory': { config: { WorkingDir: '/srv/x' } },
  'an empty working directory': { config: { WorkingDir: '' } },
  'a relative working directory': {
    config: { WorkingDir: 'srv' },
    except: { umoci: 'verbatim, which runtimes refuse', podman: 'verbatim, which runtimes refuse' },
  },
  volumes: { config: { Volumes: { '/data': {}, '/var/v': {} } } },
  'a volume with ..': {
    config: { Volumes: { '/../../v': {} } },
    except: { umoci: 'verbatim: runtimes refuse it or resolve it' },
  },

  annotations: {
    image: { author: 'me', created: '2020-01-01T00:00:00Z' },
    config: { Labels: { l: 'v' }, StopSignal: 'SIGUSR1', ExposedPorts: { '80/tcp': {} } },
  },
  'a label in place of an annotation': {
    image: { author: 'me', created: '2020-01-01T00:00:00Z' },
    config: { Labels: { 'org.opencontainers.image.author': 'label' } },
    except: { umoci: 'up to 0.6.0 the other way round' },
  },
  'no time of creation': {
    image: { created: undefined },
    except: { umoci: 'writes the year 1' },
  },
}

/** Additions of the engines themselves. */
const OWN_ENV = ['PATH', 'TERM', 'HOSTNAME', 'container']
const OWN_MOUNTS = /^\/(proc|dev|sys|run\/\.containerenv|etc\/(hosts|hostname|resolv\.conf))(\/|$)/

interface Normal {
  args: unknown
  cwd: unknown
  env: string[]
  user: unknown
  volumes: string[]
  annotations?: unknown
}

function normal({ process, mounts, annotations }: RuntimeSpec, peer?: Peer): Normal {
  const { uid, gid, additionalGids } = process!.user as {
    uid: number
    gid: number
    additionalGids?: number[]
  }
  const given = (process!.env ?? []).filter((entry) => !OWN_ENV.includes(entry.split('=')[0]!))
  return {
    args: process!.args,
    cwd: process!.cwd,
    env: given.sort(),
    // The security tests check whether the primary group is also a supplementary one.
    user: { uid, gid, groups: [...new Set([gid, ...(additionalGids ?? [])])].sort((a, b) => a - b) },
    // umoci and podman iterate over a map: their order varies.
    volumes: (mounts ?? [])
      .map(({ destination }) => destination)
      .filter((path) => !OWN_MOUNTS.test(path))
      .sort(),
    // podman does not pass labels on. Old versions of umoci also write empty values.
    ...(peer === 'podman'
      ? {}
      : {
          annotations: Object.entries(annotations ?? {})
            .filter(([, value]) => value !== '')
            .sort(),
        }),
  }
}

const run = (cwd: string, program: string, ...args: string[]): number | null =>
  spawnSync(program, args, { cwd, encoding: 'utf8' }).status

const read = (path: string, peer?: Peer): Normal | 'refused' =>
  existsSync(path) ? normal(JSON.parse(readFileSync(path, 'utf8')) as RuntimeSpec, peer) : 'refused'

const ask: Record<Peer, (base: string) => Normal | 'refused'> = {
  umoci: (base) => {
    const status = run(base, 'umoci', 'unpack', '--image', 'images:test', 'theirs')
    return status === 0 ? read(join(base, 'theirs/config.json'), 'umoci') : 'refused'
  },
  podman: (base) => {
    const runtime = join(base, 'keep')
    writeFileSync(
      runtime,
      `#!/bin/sh\nwhile [ $# -gt 0 ]; do [ "$1" = --bundle ] && cp "$2/config.json" ${base}/kept.json; shift; done\nexit 1\n`,
    )
    chmodSync(runtime, 0o755)
    const podman = (...args: string[]): number | null =>
      run(
        base,
        'podman',
        '--root',
        join(base, 'root'),
        '--runroot',
        join(base, 'run'),
        '--storage-driver',
        'vfs',
        '--runtime',
        runtime,
        ...args,
      )
    podman('create', '--network', 'none', '--name', 'c', 'oci:images:test')
    podman('init', 'c')
    podman('rm', '--force', '--volumes', 'c')
    return read(join(base, 'kept.json'), 'podman')
  },
}

const REFUSALS = ['ERR_INVALID_IMAGE', 'ERR_INVALID_OPTION']

async function ours(base: string, peer: Peer): Promise<Normal | 'refused'> {
  try {
    const image = await Image.open(`oci:${base}/images:test`)
    await image.unpack(join(base, 'ours'))
  } catch (error) {
    if (error instanceof CaissonError && REFUSALS.includes(error.code)) return 'refused'
    throw error
  }
  return read(join(base, 'ours/config.json'), peer)
}

for (const peer of ['umoci', 'podman'] as const) {
  for (const [title, { config, image, files, except }] of Object.entries(cases)) {
    needs('root', peer)(`as ${peer}: ${title}`, async (t) => {
      const base = scratch('config-peers')
      writeLayout(join(base, 'images'), [tar(files ?? system)], {
        config: { created: '2020-01-01T00:00:00Z', ...image, config: { Cmd: ['c'], ...config } },
      })
      const [mine, theirs] = [await ours(base, peer), ask[peer](base)]
      const reason = except?.[peer]
      if (reason === undefined) t.deepEqual(mine, theirs)
      else t.notDeepEqual(mine, theirs, `${peer} agrees by now; the exception was: ${reason}`)
    })
  }
}
