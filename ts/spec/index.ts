export * from './docker/index.ts'
export * from './image/index.ts'
export { formatRuntimeSpec, parseRuntimeSpec } from './parse.ts'
export type * from './runtime/index.ts'
