/** The official test cases and examples: the strict mode agrees with all of them. */
import { createHash } from 'node:crypto'
import type { ExecutionContext } from 'ava'
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
import { imageCases, imageExamples, judged, runtimeCases, runtimeExamples, type Case } from './official.ts'

type SafeParse = (input: DocumentInput, options?: ParseOptions) => ParseResult<object>

function agree(t: ExecutionContext, cases: readonly Case[], safeParse: SafeParse): void {
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
      // Examples of single properties omit other required ones.
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

/** Whether a fragment belongs to `linux.resources` rather than to `linux`. */
function ofResources(fragment: object): boolean {
  const names = ['memory', 'cpu', 'pids', 'blockIO', 'hugepageLimits', 'network', 'rdma', 'unified']
  const { devices } = fragment as { devices?: object[] }
  return names.some((name) => name in fragment) || (devices?.some((device) => 'allow' in device) ?? false)
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
