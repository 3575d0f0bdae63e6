/** Random documents through the official schemas and caisson: strict mode accepts the same structure. */
import { join } from 'node:path'
import type { SpecIssue } from '../../ts/errors.ts'
import {
  safeParseDescriptor,
  safeParseImageConfig,
  safeParseImageIndex,
  safeParseImageManifest,
  safeParseRuntimeFeatures,
  safeParseRuntimeSpec,
  safeParseRuntimeState,
  type DocumentInput,
  type ParseOptions,
  type ParseResult,
} from '../../ts/spec/index.ts'
import { configBase, DIGEST, indexBase, manifestBase, runtimeBase } from './base.ts'
import { judged, schemaOf, type Official } from './official.ts'
import fc from '../fixtures/property.ts'

type SafeParse = (input: DocumentInput, options?: ParseOptions) => ParseResult<object>

/** Constraints that are rules here and structure in the schemas. */
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

/** A config.json with every property. */
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
