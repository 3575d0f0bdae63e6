export * from './image-spec.ts'
export { formatRuntimeSpec, parseRuntimeSpec } from './parse.ts'
export type * from './runtime-spec.ts'
