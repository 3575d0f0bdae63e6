/** Reads lists and compares the files they name; sentences, order and exit status are sha256sum's. */
import { readFile } from 'node:fs'
import { promisify } from 'node:util'
import { algorithmOf } from '../../digest/index.ts'
import { CaissonError } from '../../index.ts'
import { printNames } from '../output.ts'
import { complain, complainOf, quoted } from './complaint.ts'
import { hashed, type ToHash } from './hash.ts'
import { escaped, LineReader, type Listed } from './line.ts'
import type { ProgressBar } from './progress-bar.ts'

export interface CheckOptions {
  algorithms: readonly string[]
  quiet: boolean
  status: boolean
  strict: boolean
  warn: boolean
  ignoreMissing: boolean
}

/** Checks every list; the answer is whether all is well. */
export async function check(
  lists: readonly string[],
  options: CheckOptions,
  bar: ProgressBar,
): Promise<boolean> {
  const reader = new LineReader(options.algorithms)
  let well = true
  for (const list of lists) if (!(await checkList(list, reader, options, bar))) well = false
  return well
}

async function checkList(
  list: string,
  reader: LineReader,
  options: CheckOptions,
  bar: ProgressBar,
): Promise<boolean> {
  const shown = list === '-' ? 'standard input' : list
  let lines: string
  try {
    // Names are bytes: a name that is not UTF-8 must reach the kernel as it is written.
    lines = await promisify(readFile)(list === '-' ? 0 : list, 'latin1')
  } catch (cause) {
    const { code, syscall, message } = cause as NodeJS.ErrnoException
    // COMPAT(sha256sum): its words for a directory, which it opens and cannot read.
    if (code === 'EISDIR') complain(`${quoted(shown)}: read error`)
    else complainOf(shown, new CaissonError('ERR_SYSCALL', message, { errno: code, syscall, cause }))
    return false
  }
  const { listed, improper } = readLines(lines, shown, reader, options)
  const seen = await compare(listed, options, bar)
  if (listed.length === 0) {
    complain(`${quoted(shown)}: no properly formatted checksum lines found`)
    return false
  }
  if (!options.status) {
    warn(improper, 'line is improperly formatted', 'lines are improperly formatted')
    warn(seen.unread, 'listed file could not be read', 'listed files could not be read')
    warn(seen.different, 'computed checksum did NOT match', 'computed checksums did NOT match')
    if (options.ignoreMissing && seen.matched === 0) complain(`${quoted(shown)}: no file was verified`)
  }
  const found = !options.ignoreMissing || seen.matched > 0
  return found && seen.different === 0 && seen.unread === 0 && !(options.strict && improper > 0)
}

function warn(count: number, one: string, many: string): void {
  if (count > 0) complain(`WARNING: ${count} ${count === 1 ? one : many}`)
}

function readLines(
  text: string,
  shown: string,
  reader: LineReader,
  { algorithms, warn }: CheckOptions,
): { listed: Listed[]; improper: number } {
  const listed: Listed[] = []
  let improper = 0
  for (const [index, whole] of text.split('\n').entries()) {
    const line = whole.replace(/\r$/, '')
    if (line === '' || line.startsWith('#')) continue
    const found = reader.read(line)
    if (found && !(shown === 'standard input' && found.file === '-')) listed.push(found)
    else {
      improper += 1
      const kind = algorithms.length === 1 ? `${algorithms[0]!.toUpperCase()} ` : ''
      if (warn) complain(`${quoted(shown)}: ${index + 1}: improperly formatted ${kind}checksum line`)
    }
  }
  return { listed, improper }
}

/** For people; the bytes of the list are Latin-1 here. */
const nameOf = ({ file }: Listed): string => Buffer.from(file, 'latin1').toString()

interface Seen {
  matched: number
  different: number
  unread: number
}

async function compare(listed: readonly Listed[], options: CheckOptions, bar: ProgressBar): Promise<Seen> {
  const { quiet, status, ignoreMissing } = options
  const seen: Seen = { matched: 0, different: 0, unread: 0 }
  const describe = (item: Listed): ToHash => ({
    file: item.file === '-' ? item.file : Buffer.from(item.file, 'latin1'),
    shown: nameOf(item),
    algorithms: [algorithmOf(item.digest)],
  })
  for await (const result of hashed(listed, describe, bar)) {
    const { digest } = result.item
    const file = nameOf(result.item)
    bar.clear()
    const say = (word: string): void => {
      const mark = file.includes('\n') ? '\\' : ''
      if (!status) printNames(`${mark}${mark === '' ? file : escaped(file)}: ${word}\n`)
    }
    if ('error' in result) {
      if (ignoreMissing && result.error instanceof CaissonError && result.error.errno === 'ENOENT') continue
      complainOf(file, result.error)
      seen.unread += 1
      say('FAILED open or read')
    } else if (result.digests[0] === digest) {
      seen.matched += 1
      if (!quiet) say('OK')
    } else {
      seen.different += 1
      say('FAILED')
    }
  }
  return seen
}
