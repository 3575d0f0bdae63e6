/**
 * Attacks by the configuration of an image, through `unpack` and through `run`: who the program is, where its volumes
 * go, what labels mean. A canary outside may be neither read nor changed.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { CaissonError, Image, Runtime, Store, type RunOptions, type RunResult } from '../../ts/index.ts'
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import { busybox, needs } from '../fixtures/needs.ts'
import { tar, scratch, writeLayout, type TestEntry } from '../image/fixture.ts'
import { storeRoot } from '../store/images.ts'

const anyone = needs()
const root = process.geteuid?.() === 0
const privileged = needs('root', 'busybox')
/** As root, and as an ordinary user in a namespace. */
const contained = root ? privileged : needs('userns', 'busybox')
const sh = (line: string): string[] => ['/bin/sh', '-c', line]

const passwd = `root:x:0:0::/root:/bin/sh
web:x:33:44::/srv:/bin/sh
4294967296:x:0:0::/root:/bin/sh
2147483648:x:0:0::/root:/bin/sh
-1:x:0:0::/root:/bin/sh
wraps:x:4294967296:4294967296::/root:/bin/sh
broken:x:zero:0::/root:/bin/sh
`
const group = 'root:x:0:\nweb:x:44:\nlog:x:9:web\nwraps:x:4294967296:web2\n4294967296:x:0:\n'

function entries(): TestEntry[] {
  const shell = busybox()
  const tools = ['sh', 'cat', 'id', 'ls', 'touch', 'grep', 'mkdir', 'stat']
  const programs: TestEntry[] = shell
    ? [
        { name: 'bin/busybox', content: readFileSync(shell), mode: 0o755 },
        ...tools.map((name) => ({ name: `bin/${name}`, type: '2', link: 'busybox' })),
      ]
    : []
  return [
    { name: 'bin/' },
    ...programs,
    { name: 'etc/passwd', content: passwd },
    { name: 'etc/group', content: group },
    { name: 'logs', content: 'reached', mode: 0o640, gid: 9 },
    { name: 'denied', content: 'secret', mode: 0o604, gid: 44 }, // everybody may read it but the group
  ]
}

/** A layout with a canary beside it, and the results of both ways. */
class Attempt {
  readonly base: string
  readonly outside: string
  readonly #t: ExecutionContext
  readonly #before: unknown
  readonly #runtime: Runtime

  constructor(
    t: ExecutionContext,
    config: (outside: string) => object,
    more: (outside: string) => TestEntry[] = () => [],
  ) {
    this.#t = t
    this.base = scratch(t)
    this.outside = join(this.base, 'outside')
    mkdirSync(this.outside)
    writeFileSync(join(this.outside, 'canary'), 'canary')
    const layer = tar([...entries(), ...more(this.outside)])
    writeLayout(join(this.base, 'images'), [layer], {
      config: { config: { Cmd: ['/bin/true'], ...config(this.outside) } },
    })
    this.#before = this.#canary()
    this.#runtime = new Runtime({
      root: join(this.base, 'run'),
      store: new Store({ root: storeRoot(), durability: 'none' }),
    })
  }

  #canary(): unknown {
    const { mode, uid, gid, mtimeMs, ctimeMs, nlink } = statSync(join(this.outside, 'canary'))
    return [
      readdirSync(this.outside),
      readFileSync(join(this.outside, 'canary'), 'utf8'),
      mode,
      uid,
      gid,
      mtimeMs,
      ctimeMs,
      nlink,
    ]
  }

  async unpack(): Promise<RuntimeSpec> {
    const image = await Image.open(`oci:${this.base}/images:test`)
    await image.unpack(join(this.base, 'bundle'))
    return JSON.parse(readFileSync(join(this.base, 'bundle/config.json'), 'utf8')) as RuntimeSpec
  }

  run(line: string, options: RunOptions = {}): Promise<RunResult<string>> {
    return this.#runtime.run(`oci:${this.base}/images:test`, sh(line), { ...options, reject: false })
  }

  /** Of the bundle, once it is unpacked. */
  runBundle(line: string, options: RunOptions = {}): Promise<RunResult<string>> {
    const bundle = join(this.base, 'bundle')
    return this.#runtime.run({ bundle }, sh(line), { ...options, reject: false })
  }

  /** The error of both ways. Neither leaves anything. */
  async refused(): Promise<string[]> {
    const codes: string[] = []
    for (const way of [() => this.unpack(), () => this.run('true')]) {
      const error = await this.#t.throwsAsync(async () => void (await way()), { instanceOf: CaissonError })
      codes.push(error.code)
    }
    this.#t.false(existsSync(join(this.base, 'bundle')))
    this.unharmed()
    return codes
  }

  unharmed(): void {
    this.#t.deepEqual(this.#canary(), this.#before)
    const run = join(this.base, 'run')
    this.#t.deepEqual(existsSync(run) ? readdirSync(run) : [], [])
  }
}

const overflows: [cve: string, user: string][] = [
  ['CVE-2024-40635', '4294967296'],
  ['CVE-2024-40635', '4294967296:0'],
  ['CVE-2024-40635', '2147483648:0'],
  ['CVE-2024-40635', '0:4294967296'],
  ['CVE-2024-40635', '18446744073709551616'],
  ['CVE-2024-40635', '-1'],
  ['CVE-2026-46680', 'wraps'],
  ['CVE-2026-46680', 'web:wraps'],
  ['CVE-2026-46680', 'web:4294967296'],
  ['CVE-2026-46680', 'broken'],
]

for (const [cve, user] of overflows) {
  anyone(`${cve}: a user of an image does not become root by arithmetic: ${user}`, async (t) => {
    const attempt = new Attempt(t, () => ({ User: user }))
    t.deepEqual(await attempt.refused(), ['ERR_INVALID_IMAGE', 'ERR_INVALID_IMAGE'])
  })
}

anyone('passwd and group of an image are not read outside of it', async (t) => {
  for (const target of [
    'OUTSIDE/passwd',
    '../../../../../../OUTSIDE/passwd',
    '/proc/self/root/OUTSIDE/passwd',
  ]) {
    const link = (outside: string): TestEntry[] => {
      writeFileSync(join(outside, 'passwd'), 'host:x:0:0::/:/x\n')
      return [{ name: 'etc/passwd', type: '2', link: target.replace('OUTSIDE', outside) }]
    }
    const attempt = new Attempt(t, () => ({ User: 'host' }), link)
    t.deepEqual(await attempt.refused(), ['ERR_INVALID_IMAGE', 'ERR_INVALID_IMAGE'])
  }
})

anyone('passwd as a FIFO or without an end stops nobody', async (t) => {
  const special: TestEntry[] = [
    { name: 'etc/passwd', type: '6' },
    { name: 'etc/passwd/', type: '5' },
    { name: 'etc/passwd', content: Buffer.alloc((8 << 20) + 1, 'x') },
  ]
  for (const entry of special) {
    const remove = { name: 'etc/.wh.passwd', content: '' }
    const attempt = new Attempt(
      t,
      () => ({ User: 'web' }),
      () => [remove, entry],
    )
    t.deepEqual(await attempt.refused(), ['ERR_INVALID_IMAGE', 'ERR_INVALID_IMAGE'])
  }
})

const volumes: [
  title: string,
  volume: (outside: string) => string,
  links?: (outside: string) => TestEntry[],
][] = [
  ['through ..', (outside) => `/../../../../../..${outside}`],
  ['by an absolute link', () => '/v', (outside) => [{ name: 'v', type: '2', link: outside }]],
  [
    'by a link that climbs',
    () => '/v',
    (outside) => [{ name: 'v', type: '2', link: `../../../../..${outside}` }],
  ],
  ['below a link', () => `/v/outside`, (outside) => [{ name: 'v', type: '2', link: join(outside, '..') }]],
  [
    'by a link of procfs',
    () => '/v',
    (outside) => [{ name: 'v', type: '2', link: `/proc/1/root${outside}` }],
  ],
]

for (const [title, volume, links] of volumes) {
  contained(`CVE-2022-23648: a volume of an image does not reach the host ${title}`, async (t) => {
    const attempt = new Attempt(t, (outside) => ({ Volumes: { [volume(outside)]: {} } }), links)
    const spec = await attempt.unpack()
    const { destination } = spec.mounts!.at(-1)!
    t.false(destination.includes('..'))
    for (const way of [() => attempt.run, () => attempt.runBundle]) {
      const line = `ls ${destination}; cat ${destination}/canary ${attempt.outside}/canary; touch ${destination}/evil`
      try {
        const { stdout } = await way().call(attempt, line)
        t.notRegex(stdout, /canary/)
      } catch (error) {
        t.regex((error as CaissonError).code, /^ERR_(INVALID_SPEC|UNSAFE_PATH)$/) // below /proc nothing is mounted
      }
    }
    attempt.unharmed()
  })
}

contained('CVE-2019-16884: a volume of an image does not cover /proc', async (t) => {
  for (const path of ['/proc', '/proc/self', '/p/attr']) {
    const link = { name: 'p', type: '2', link: '/proc/self' }
    const attempt = new Attempt(
      t,
      () => ({ Volumes: { [path]: {} } }),
      () => [link],
    )
    await attempt.unpack()
    for (const way of [attempt.run, attempt.runBundle])
      await t.throwsAsync(async () => void (await way.call(attempt, 'true')), {
        code: 'ERR_INVALID_SPEC',
      } as never)
    attempt.unharmed()
  }
})

/** Keys of Docker, podman, crun, runc, CRI and others that make a runtime or an engine act. */
const meaningful = (outside: string): Record<string, string> => ({
  'run.oci.hooks.stdout': join(outside, 'evil'),
  'run.oci.hooks.stderr': join(outside, 'evil'),
  'run.oci.keep_original_groups': '1',
  'run.oci.handler': 'krun',
  'run.oci.mount_context_type': 'context',
  'run.oci.seccomp.receiver': join(outside, 'evil'),
  'run.oci.systemd.subgroup': '../..',
  'org.systemd.property.ExecStartPre': `["touch ${outside}/evil"]`,
  'org.criu.config': join(outside, 'evil'),
  'io.podman.annotations.privileged': 'TRUE',
  'io.podman.annotations.seccomp': 'unconfined',
  'io.containers.autoupdate': 'registry',
  'io.kubernetes.cri-o.Devices': '/dev/mem',
  'io.kubernetes.cri-o.userns-mode': 'host',
  'io.kubernetes.cri.container-type': 'sandbox',
  'io.containerd.image.config.stop-signal': 'SIGKILL',
  'com.docker.official': 'true',
  'org.opencontainers.image.stopSignal': 'SIGSTOP',
  'module.wasm.image/variant': 'compat',
  'cdi.k8s.io/gpu': 'vendor.com/gpu=all',
})

contained('CVE-2026-53488: labels of an image mean nothing', async (t) => {
  const facts =
    'id; grep -E "^(Cap|NoNewPrivs|Seccomp|Groups)" /proc/self/status; cat /proc/self/mountinfo | grep -c .; ls /dev /'
  const [plain, labelled] = [
    new Attempt(t, () => ({})),
    new Attempt(t, (outside) => ({ Labels: meaningful(outside) })),
  ]
  const { annotations: few, ...without } = await plain.unpack()
  const { annotations: many, ...withLabels } = await labelled.unpack()
  t.deepEqual(withLabels, without)
  t.deepEqual(many, { ...few, ...meaningful(labelled.outside) })
  for (const way of ['run', 'runBundle'] as const) {
    const [expected, found] = [await plain[way](facts), await labelled[way](facts)]
    t.is(expected.exitCode, 0)
    t.is(found.stdout, expected.stdout)
  }
  labelled.unharmed()
})

privileged(
  'CVE-2022-2989, CVE-2022-36109, CVE-2023-25173: the groups of a user are all set, and no others',
  async (t) => {
    const users: [user: string, groups: number[]][] = [
      ['web', [44, 9]],
      ['33', [44, 9]],
      ['web:log', [9]],
      ['33:1001', [1001]],
      ['1000', [0]],
      ['', [0]],
    ]
    for (const [User, groups] of users) {
      const attempt = new Attempt(t, () => ({ User }))
      t.deepEqual((await attempt.unpack()).process?.user?.additionalGids, groups, User)
      for (const way of [attempt.run, attempt.runBundle]) {
        const { stdout } = await way.call(attempt, 'grep Groups: /proc/self/status; cat /denied')
        t.is(
          stdout.split('\n')[0]!.trim().split(/\s+/).slice(1).sort().join(),
          [...groups].sort().join(),
          User,
        )
      }
      attempt.unharmed()
    }
  },
)

privileged(
  'CVE-2022-2990: a set-group-id program does not bypass what a file denies to the own group',
  async (t) => {
    // Not busybox, which drops the privileges of the bit.
    const { stdout: libraries } = spawnSync('ldd', ['/bin/cat'], { encoding: 'utf8' })
    const cat = (): TestEntry[] => [
      ...[...libraries.matchAll(/\/\S+/g)].map(([path]) => ({
        name: path.slice(1),
        content: readFileSync(path),
        mode: 0o755,
      })),
      { name: 'bin/setgid-cat', content: readFileSync('/bin/cat'), mode: 0o2755, gid: 9 },
    ]
    const attempt = new Attempt(t, () => ({ User: 'web:web' }), cat)
    await attempt.unpack()
    for (const way of ['run', 'runBundle'] as const) {
      // The bit counts only with new privileges.
      const line = '/bin/setgid-cat /logs /denied; cat /denied'
      const { stdout, stderr } = await attempt[way](line, { noNewPrivileges: false })
      t.is(stdout, 'reached')
      t.is(stderr.match(/Permission denied/g)?.length, 2)
    }
    attempt.unharmed()
  },
)

contained('CVE-2022-24769: no program has inheritable or ambient capabilities', async (t) => {
  for (const User of root ? ['', 'web'] : ['']) {
    const attempt = new Attempt(t, () => ({ User }))
    const { capabilities } = (await attempt.unpack()).process!
    t.false('inheritable' in capabilities! || 'ambient' in capabilities!)
    for (const way of ['run', 'runBundle'] as const) {
      const { stdout } = await attempt[way]('grep -E "^Cap(Inh|Amb):" /proc/self/status')
      t.regex(stdout, /^CapInh:\t0{16}\nCapAmb:\t0{16}\n$/)
    }
    attempt.unharmed()
  }
})
