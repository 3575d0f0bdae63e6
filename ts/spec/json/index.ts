export { formatJson } from './format.ts'
export { JsonNumber } from './number.ts'
