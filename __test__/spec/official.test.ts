/** The official schemas and their test cases are the judge of structure: the strict mode agrees with all of them. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import type { SpecIssue } from '../../ts/errors.ts'
import {
  safeParseDescriptor,
  safeParseImageConfig,
  safeParseImageIndex,
  safeParseImageManifest,
  safeParseLayoutHeader,
  safeParseRuntimeFeatures,
  safeParseRuntimeSpec,
  safeParseRuntimeState,
  type DocumentInput,
  type ParseOptions,
  type ParseResult,
} from '../../ts/spec/index.ts'
import { configBase, DIGEST, indexBase, manifestBase, runtimeBase } from './base.ts'
import {
  imageCases,
  imageExamples,
  official,
  runtimeCases,
  runtimeExamples,
  schemaOf,
  type Case,
  type Official,
} from './official.ts'

type SafeParse = (input: DocumentInput, options?: ParseOptions) => ParseResult<object>
const found = official()
const specifications = typeof found === 'string' ? undefined : found

/** `test`, or a counted skip with its reason. */
function judged(
  title: string,
  body: (t: import('ava').ExecutionContext, specifications: Official) => void,
): void {
  if (specifications) test(title, (t) => body(t, specifications))
  else {
    console.error(`skipped: ${title}: ${String(found)}`)
    test.skip(title, (t) => t.pass())
  }
}

function agree(t: import('ava').ExecutionContext, cases: readonly Case[], safeParse: SafeParse): void {
  for (const { title, text, good } of cases) {
    const result = safeParse(text, { mode: 'strict' })
    t.is(result.success, good, `${title}: ${result.success ? 'taken' : result.error.message}`)
  }
}

judged('every case of the runtime specification', (t, specifications) => {
  const kinds: [kind: string, safeParse: SafeParse, count: number][] = [
    ['config', safeParseRuntimeSpec, 14],
    ['features', safeParseRuntimeFeatures, 3],
    ['state', safeParseRuntimeState, 2],
  ]
  for (const [kind, safeParse, count] of kinds) {
    const cases = runtimeCases(specifications, kind)
    t.is(cases.length, count)
    agree(t, cases, safeParse)
  }
})

judged('every case of the image specification', (t, specifications) => {
  const files: [file: string, safeParse: SafeParse, count: number][] = [
    ['descriptor_test.go', safeParseDescriptor, 25],
    ['config_test.go', safeParseImageConfig, 10],
    ['imageindex_test.go', safeParseImageIndex, 12],
    ['manifest_test.go', safeParseImageManifest, 12],
    ['imagelayout_test.go', safeParseLayoutHeader, 2],
  ]
  for (const [file, safeParse, count] of files) {
    const cases = imageCases(specifications, file)
    t.is(cases.length, count, file)
    agree(t, cases, safeParse)
  }
})

judged(
  "Docker's documents become OCI documents by their media types alone, and keep their digests",
  (t, specifications) => {
    const parsers: Record<string, SafeParse> = {
      imageIndex: safeParseImageIndex,
      manifest: safeParseImageManifest,
      config: safeParseImageConfig,
    }
    let seen = 0
    for (const [field, safeParse] of Object.entries(parsers)) {
      for (const { title, text } of imageCases(specifications, 'backwards_compatibility_test.go', field)) {
        const oci = text
          .replaceAll(
            'application/vnd.docker.distribution.manifest.list.v2+json',
            'application/vnd.oci.image.index.v1+json',
          )
          .replaceAll(
            'application/vnd.docker.distribution.manifest.v2+json',
            'application/vnd.oci.image.manifest.v1+json',
          )
          .replaceAll(
            'application/vnd.docker.image.rootfs.diff.tar.gzip',
            'application/vnd.oci.image.layer.v1.tar+gzip',
          )
          .replaceAll(
            'application/vnd.docker.container.image.v1+json',
            'application/vnd.oci.image.config.v1+json',
          )
        agree(t, [{ title, text: oci, good: true }], safeParse)
        // As they are, a lenient reader takes them.
        const lenient = safeParse(text)
        t.true(lenient.success, title)
        t.is(lenient.success && Buffer.from(lenient.raw!).toString(), text)
        seen += 1
      }
    }
    t.is(seen, 4)
  },
)

judged('every example of the image specification', (t, specifications) => {
  const parsers: Record<string, SafeParse> = {
    'application/vnd.oci.descriptor.v1+json': safeParseDescriptor,
    'application/vnd.oci.layout.header.v1+json': safeParseLayoutHeader,
    'application/vnd.oci.image.index.v1+json': safeParseImageIndex,
    'application/vnd.oci.image.manifest.v1+json': safeParseImageManifest,
    'application/vnd.oci.image.config.v1+json': safeParseImageConfig,
  }
  const examples = imageExamples(specifications)
  t.is(examples.length, 13)
  for (const { mediaType, title, text } of examples) {
    agree(
      t,
      [{ title, text, good: true }],
      parsers[mediaType] ??
        (() => {
          throw new Error(mediaType)
        }),
    )
  }
})

judged('every example of the runtime specification has the right structure', (t, specifications) => {
  const top = new Set([
    'process',
    'mounts',
    'hooks',
    'annotations',
    'root',
    'hostname',
    'domainname',
    'linux',
    'windows',
    'solaris',
    'vm',
    'zos',
    'freebsd',
  ])
  const sections: [page: string, wrap: (fragment: object) => object, least: number][] = [
    ['config.md', (fragment) => fragment, 6],
    [
      'config-linux.md',
      (fragment) => ({ linux: ofResources(fragment) ? { resources: fragment } : fragment }),
      20,
    ],
    ['config-windows.md', (windows) => ({ windows: { layerFolders: ['C:\\x'], ...windows } }), 6],
    ['config-windows.md', (resources) => ({ windows: { layerFolders: ['C:\\x'], resources } }), 0],
    ['config-solaris.md', (solaris) => ({ solaris }), 4],
    ['config-vm.md', (vm) => ({ vm: { kernel: { path: '/k' }, ...vm } }), 3],
    ['config-freebsd.md', (freebsd) => ({ freebsd }), 1],
  ]
  for (const [page, wrap, least] of sections) {
    let seen = 0
    for (const fragment of runtimeExamples(specifications, page)) {
      const isTop = Object.keys(fragment).some((name) => top.has(name))
      if (page === 'config.md' && !isTop) continue
      const document: any = isTop ? fragment : wrap(fragment)
      // Examples of single properties leave out what is required beside them.
      if (document.windows) document.windows.layerFolders ??= ['x']
      const result = safeParseRuntimeSpec(
        { ociVersion: '1.3.0', root: { path: 'r' }, ...document },
        { mode: 'strict' },
      )
      const issues = result.success ? [] : result.error.issues.filter(({ kind }) => kind === 'structure')
      t.deepEqual(
        issues.map(({ path, message }) => `${page} ${path}: ${message}`),
        [],
      )
      seen += 1
    }
    t.true(seen >= least, `${page}: ${seen}`)
  }
})

/** Whether a fragment stands in `linux.resources` rather than in `linux`. */
function ofResources(fragment: object): boolean {
  const names = ['memory', 'cpu', 'pids', 'blockIO', 'hugepageLimits', 'network', 'rdma', 'unified']
  const { devices } = fragment as { devices?: object[] }
  return names.some((name) => name in fragment) || (devices?.some((device) => 'allow' in device) ?? false)
}

/** Where our rules say what the schemas say by structure. */
const RULES_OF_SCHEMAS = /^(?:linux\.resources\.pids\.limit|layers|status)$/

/** Where we are stricter than the schemas: docs/spec.md has the reasons. */
function onlyOurs({ path, found }: SpecIssue): boolean {
  const inDescriptor = path.replace(/^(?:config|subject|(?:layers|manifests)\[\d+\])\./, '')
  if (inDescriptor === 'size') return found === '-1'
  if (/^manifests\[\d+\]\.(?:data|artifactType)$/.test(path)) return true
  return inDescriptor === 'data' && found?.startsWith('"') === true
}

function structureIsRight(result: ParseResult<object>): boolean {
  if (result.success) return true
  return result.error.issues.every(
    (issue) => (issue.kind === 'rule' && !RULES_OF_SCHEMAS.test(issue.path)) || onlyOurs(issue),
  )
}

const values = fc.constantFrom<unknown>(
  null,
  5,
  -1,
  70000,
  1.5,
  'x',
  '',
  true,
  [],
  {},
  ['x'],
  [5],
  { a: 'b' },
  { a: 5 },
  'CAP_KILL',
  DIGEST,
)

/** A copy with one place changed, anywhere. */
function mutate(document: unknown, steps: number, value: unknown, remove: boolean): unknown {
  const places: [parent: Record<string, unknown>, key: string][] = []
  const copy = structuredClone(document)
  const walk = (item: unknown): void => {
    if (typeof item !== 'object' || item === null) return
    for (const key of Object.keys(item)) {
      places.push([item as Record<string, unknown>, key])
      walk((item as Record<string, unknown>)[key])
    }
  }
  walk(copy)
  const [parent, key] = places[steps % places.length]!
  if (remove && !Array.isArray(parent)) delete parent[key]
  else parent[key] = value
  return copy
}

/** A config.json with every property there is. */
function everything(): object {
  const { linux, process, ...rest } = JSON.parse(
    JSON.stringify(runtimeBase(), (_, value: unknown) => (typeof value === 'bigint' ? 7 : value)),
  ) as Record<string, object>
  return {
    ...rest,
    domainname: 'example.org',
    process: {
      ...process,
      terminal: true,
      consoleSize: { height: 24, width: 80 },
      scheduler: {
        policy: 'SCHED_RR',
        priority: 1,
        flags: ['SCHED_FLAG_RECLAIM'],
        nice: 0,
        runtime: 0,
        deadline: 0,
        period: 0,
      },
      ioPriority: { class: 'IOPRIO_CLASS_RT', priority: 1 },
      execCPUAffinity: { initial: '0', final: '0-1' },
      selinuxLabel: 'x',
      apparmorProfile: 'x',
      noNewPrivileges: true,
      commandLine: 'x',
    },
    linux: {
      ...linux,
      netDevices: { eth0: { name: 'eth1' } },
      cgroupsPath: '/x',
      rootfsPropagation: 'slave',
      mountLabel: 'x',
      intelRdt: {
        closID: 'x',
        l3CacheSchema: 'L3:0=f',
        memBwSchema: 'MB:0=1',
        schemata: ['x'],
        enableMonitoring: true,
      },
      memoryPolicy: { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] },
      personality: { domain: 'LINUX', flags: ['x'] },
      resources: {
        ...(linux as { resources: object }).resources,
        blockIO: {
          weight: 10,
          leafWeight: 10,
          weightDevice: [{ major: 8, minor: 0, weight: 10, leafWeight: 10 }],
          throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 5 }],
        },
        hugepageLimits: [{ pageSize: '2MB', limit: 5 }],
        network: { classID: 1, priorities: [{ name: 'eth0', priority: 1 }] },
        rdma: { mlx5: { hcaHandles: 1, hcaObjects: 1 } },
        unified: { 'memory.high': '5' },
      },
    },
    freebsd: {
      devices: [{ path: 'null', mode: 438 }],
      jail: {
        vnet: 'new',
        ip4: 'disable',
        ip4Addr: ['10.0.0.1'],
        enforceStatfs: 1,
        allow: { mount: ['x'], chflags: true },
      },
    },
    vm: {
      kernel: { path: '/k', parameters: ['x'], initrd: '/i' },
      hypervisor: { path: '/h' },
      image: { path: '/i', format: 'raw' },
      hwConfig: { vcpus: 1, memory: 5, irqs: [1], iomems: [{ firstMFN: 1, nrMFNs: 1, firstGFN: 2 }] },
    },
    solaris: { milestone: 'x', anet: [{ linkname: 'x' }], cappedCPU: { ncpus: '1' } },
    zos: { namespaces: [{ type: 'pid', path: '/x' }] },
    windows: {
      layerFolders: ['x'],
      devices: [{ id: 'x', idType: 'class' }],
      network: { endpointList: ['x'] },
      hyperv: { utilityVMPath: 'x' },
      resources: { cpu: { count: 1, shares: 1 }, memory: { limit: 1 }, storage: { iops: 1 } },
    },
  }
}

const subjects: [
  name: string,
  specification: keyof Official,
  root: string,
  base: () => object,
  safeParse: SafeParse,
][] = [
  ['config.json', 'runtime', 'config-schema.json', everything, safeParseRuntimeSpec],
  [
    'state',
    'runtime',
    'state-schema.json',
    () => ({
      ociVersion: '1.0.0',
      id: 'x',
      status: 'running',
      pid: 5,
      bundle: '/b',
      annotations: { a: 'b' },
    }),
    safeParseRuntimeState,
  ],
  [
    'features',
    'runtime',
    'features-schema.json',
    () => ({
      ociVersionMin: '1.0.0',
      ociVersionMax: '1.3.0',
      hooks: ['prestart'],
      mountOptions: ['ro'],
      annotations: { a: 'b' },
      potentiallyUnsafeConfigAnnotations: ['x'],
      linux: {
        namespaces: ['pid'],
        capabilities: ['CAP_KILL'],
        cgroup: { v1: true, rdma: false },
        seccomp: {
          enabled: true,
          actions: ['SCMP_ACT_KILL'],
          operators: ['SCMP_CMP_EQ'],
          archs: ['SCMP_ARCH_X86'],
          knownFlags: ['SECCOMP_FILTER_FLAG_LOG'],
        },
        apparmor: { enabled: true },
        intelRdt: { enabled: true },
        mountExtensions: { idmap: { enabled: true } },
        netDevices: { enabled: true },
      },
    }),
    safeParseRuntimeFeatures,
  ],
  ['index', 'image', 'image-index-schema.json', indexBase, safeParseImageIndex],
  ['manifest', 'image', 'image-manifest-schema.json', manifestBase, safeParseImageManifest],
  ['config', 'image', 'config-schema.json', configBase, safeParseImageConfig],
  [
    'descriptor',
    'image',
    'content-descriptor.json',
    () => ({ ...manifestBase().layers[0]!, artifactType: 'a/b', data: 'e30=' }),
    safeParseDescriptor,
  ],
]

for (const [name, specification, root, base, safeParse] of subjects) {
  judged(`${name}: random documents, by the schema and by us`, (t, specifications) => {
    const schema = schemaOf(join(specifications[specification], 'schema'), root)
    t.true(schema(base()), 'the base is valid')
    const change = fc.tuple(fc.nat(), values, fc.boolean())
    const property = fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const document = changes.reduce<unknown>(
        (document, [place, value, remove]) => mutate(document, place, value, remove),
        base(),
      )
      const [wanted, result] = [schema(document), safeParse(document as object, { mode: 'strict' })]
      const why = result.success ? 'taken' : result.error.message
      if (structureIsRight(result) !== wanted) throw new Error(`schema ${wanted}, ours: ${why}`)
    })
    const { failed, errorInstance } = fc.check(property, { numRuns: 3000 })
    t.false(failed, String(errorInstance))
  })
}

judged('the digest of an empty descriptor', (t) => {
  const empty = {
    mediaType: 'application/vnd.oci.empty.v1+json',
    digest: `sha256:${createHash('sha256').update('{}').digest('hex')}`,
    size: 2,
    data: 'e30=',
  }
  t.true(safeParseDescriptor(empty, { mode: 'strict' }).success)
})
