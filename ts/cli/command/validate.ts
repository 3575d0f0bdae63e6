import { validate as validatePath, type SpecIssue, type ValidationReport } from '../../index.ts'
import { on, text, type Command } from '../command.ts'
import { print } from '../output.ts'
import { UsageError } from '../usage-error.ts'

export const validate: Command = {
  name: 'validate',
  usage: 'look for everything that is wrong with a bundle, an image or a document',
  argsUsage: '<path>',
  description: `Looks at every document of a bundle, an image layout, an image archive (OCI or docker save), or at a single
document, and lists all problems with their places. Of images also the blobs are verified. The exit status is 0 without
errors; warnings do not count.`,
  flags: [
    { name: 'format', aliases: ['f'], type: 'text', usage: 'select one of: text or json', default: 'text' },
    { name: 'kind', aliases: ['k'], type: 'text', usage: 'which document a single file should be' },
    { name: 'lenient', type: 'switch', usage: 'accept what caisson reads, not only what may be written' },
  ],
  min: 1,
  max: 1,
  run: async ({ flags, args }) => {
    const format = text(flags, 'format') ?? 'text'
    if (format !== 'text' && format !== 'json') throw new UsageError(`invalid format option`, false)
    const mode = on(flags, 'lenient') ? 'lenient' : 'strict'
    const report = await validatePath(args[0]!, { mode, kind: text(flags, 'kind') })
    print(format === 'json' ? `${JSON.stringify(report, undefined, 2)}\n` : readable(report))
    return report.valid ? 0 : 1
  },
}

/** `FILE:LINE:COLUMN: error: PATH: MESSAGE`, as editors read it, and one line that sums it up. */
function readable({ path, kind, valid, documents }: ValidationReport): string {
  const lines = documents.flatMap(({ file, errors, warnings }) => [
    ...errors.map((issue) => line(file, 'error', issue)),
    ...warnings.map((issue) => line(file, 'warning', issue)),
  ])
  const count = (which: 'errors' | 'warnings', word: string): string => {
    const number = documents.reduce((sum, document) => sum + document[which].length, 0)
    return `${number} ${word}${number === 1 ? '' : 's'}`
  }
  const verdict = valid ? 'valid' : 'not valid'
  const looked = `${documents.length} ${documents.length === 1 ? 'file' : 'files'} looked at`
  lines.push(
    `${path}: ${kind}, ${verdict}: ${count('errors', 'error')}, ${count('warnings', 'warning')}, ${looked}`,
  )
  return `${lines.join('\n')}\n`
}

function line(file: string, level: string, { path, message, line, column }: SpecIssue): string {
  const place = line === undefined ? file : `${file}:${line}:${column}`
  return [place, level, ...(path === '' ? [] : [path]), message].join(': ')
}
