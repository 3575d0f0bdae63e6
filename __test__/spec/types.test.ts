/** The types, checked when the tests are compiled (`npm run check`). */
import test from 'ava'
import { expectTypeOf } from 'expect-type'
import {
  ANNOTATION,
  parseDockerImageConfig,
  parseImageConfig,
  parseImageManifest,
  parseRuntimeSpec,
  rawOf,
  safeParseImageIndex,
  type Descriptor,
  type DockerArchiveManifest,
  type Healthcheck,
  type ImageIndex,
  type Namespace,
  type ParseResult,
  type Rlimit,
  type RuntimeSpec,
  type RuntimeState,
  type SeccompArg,
  type Vm,
  type Windows,
} from '../../ts/spec/index.ts'
import type { SpecError, SpecIssue } from '../../ts/errors.ts'

test('documents have their types', (t) => {
  expectTypeOf(parseRuntimeSpec).returns.toEqualTypeOf<RuntimeSpec>()
  expectTypeOf(parseRuntimeSpec).parameter(0).toEqualTypeOf<string | Uint8Array | object>()
  expectTypeOf(parseImageManifest).returns.toHaveProperty('layers').toEqualTypeOf<Descriptor[]>()
  expectTypeOf(parseImageConfig)
    .returns.toHaveProperty('rootfs')
    .toEqualTypeOf<{ type: 'layers'; diff_ids: string[] }>()
  expectTypeOf<
    NonNullable<NonNullable<ReturnType<typeof parseDockerImageConfig>['config']>['Healthcheck']>
  >().toEqualTypeOf<Healthcheck>()
  expectTypeOf<DockerArchiveManifest[number]['Layers']>().toEqualTypeOf<string[]>()
  t.pass()
})

test('a result is one of two', (t) => {
  expectTypeOf(safeParseImageIndex).returns.toEqualTypeOf<ParseResult<ImageIndex>>()
  const result = safeParseImageIndex('{}')
  if (result.success) {
    expectTypeOf(result.value).toEqualTypeOf<ImageIndex>()
    expectTypeOf(result.raw).toEqualTypeOf<Uint8Array | undefined>()
    expectTypeOf(result.warnings).toEqualTypeOf<SpecIssue[]>()
  } else expectTypeOf(result.error).toEqualTypeOf<SpecError>()
  expectTypeOf(rawOf).returns.toEqualTypeOf<Uint8Array | undefined>()
  t.false(result.success && result.warnings.length > 0)
})

test('64-bit numbers may be bigint, enumerations are unions', (t) => {
  expectTypeOf<Rlimit['hard']>().toEqualTypeOf<number | bigint>()
  expectTypeOf<SeccompArg['value']>().toEqualTypeOf<number | bigint>()
  expectTypeOf<Namespace['type']>().toEqualTypeOf<
    'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time'
  >()
  expectTypeOf<'paused'>().toExtend<RuntimeState['status']>()
  expectTypeOf<Windows['layerFolders']>().toEqualTypeOf<string[]>()
  expectTypeOf<Vm['kernel']['path']>().toEqualTypeOf<string>()
  expectTypeOf(ANNOTATION.refName).toEqualTypeOf<'org.opencontainers.image.ref.name'>()
  // @ts-expect-error an option that does not exist
  parseRuntimeSpec('{"ociVersion":"1.0.0","root":{"path":"x"}}', { loose: true })
  // @ts-expect-error a required property is missing
  const namespace: Namespace = {}
  t.deepEqual(namespace, {} as never)
})
