/** The shortest way from an image to a result. */
import type { ContainerProcess, OutputOf, RunOptions } from './process/process.ts'
import { Runtime } from './runtime.ts'
import type { Source } from './source/source.ts'

let shared: Runtime | undefined

/**
 * Runs a program in a new container and removes the container afterwards.
 *
 * @example
 * ```ts
 * const { stdout } = await run('oci:./images/alpine:3.22', ['uname', '-r'], { memory: '64MiB', timeout: 5000 })
 * ```
 */
export function run<const Options extends RunOptions = RunOptions>(
  source: Source,
  args?: readonly string[],
  options?: Options,
): ContainerProcess<OutputOf<Options>> {
  return (shared ??= new Runtime()).run(source, args, options)
}
