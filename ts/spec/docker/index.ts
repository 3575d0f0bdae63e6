export type * from './archive.ts'
export type * from './config.ts'
export type * from './manifest.ts'
