// A strict consumer without skipLibCheck; compiled as an ES module and, with another name, as CommonJS.
import {
  CaissonError,
  Image,
  Layout,
  Runtime,
  SpecError,
  Store,
  run,
  type Container,
  type ContainerProcess,
  type RunResult,
} from 'caisson'
import { digestString, type Digest } from 'caisson/digest'
import { parseRuntimeSpec, type RuntimeSpec } from 'caisson/spec'

type IsAny<T> = 0 extends 1 & T ? true : false
declare function typed<T>(value: T, any: IsAny<T> extends true ? never : false): void

export async function main(): Promise<void> {
  const runtime = new Runtime({ root: '/x', onWarning: (message: string) => void message })
  const bytes: Buffer = (await run('host', ['echo'], { encoding: 'buffer' })).stdout
  const child: ContainerProcess<string> = runtime.run('host', ['echo'])
  const text: string = (await child).stdout
  const container: Container = await runtime.create('x', { image: 'oci:x' })
  const spec: RuntimeSpec = parseRuntimeSpec('{}')
  const digest: Digest = digestString('x')
  const image = await Image.open('oci:x')
  const { skipped } = await image.unpack('x')
  const { files } = await image.diff(image)
  for (const entry of skipped) typed(entry, false)
  for (const change of files ?? []) typed(change.what, false)
  typed(image.manifest, false)
  typed(image.config?.config, false)
  typed(await container.wait(), false)
  typed(container.stdout, false)
  const result: RunResult = await run('host')
  const store = new Store()
  const layout: Layout = await Layout.open('x')
  await using disposed = container
  // @ts-expect-error an option with a typing error
  await run('host', ['x'], { memry: 1 })
  // @ts-expect-error internal
  typed(container.takeConsole, false)
  // @ts-expect-error internal
  typed(image.layerBlobs, false)
  try {
    await run('host')
  } catch (error) {
    if (error instanceof SpecError) typed(error.issues[0]?.path, false)
    if (error instanceof CaissonError) typed(error.code === 'ERR_EXIT', false)
  }
  void [bytes, text, spec, digest, result, store, layout, disposed]
}
