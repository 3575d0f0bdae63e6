/** Lines of checksum lists: our own (`sha256:… FILE`), and those of sha256sum and its kin in all their forms. */
import { algorithmOf, digestFromEncoded, isDigest, type Digest } from '../../digest/index.ts'

/** How a line is written. */
export const LINE_FORMATS = ['digest', 'sum', 'tag'] as const
export type LineFormat = (typeof LINE_FORMATS)[number]

/** The algorithm that a bare hash of so many characters is of, where nothing else says it. */
const BY_LENGTH: Readonly<Record<number, string>> = { 64: 'sha256', 96: 'sha384', 128: 'sha512' }

/**
 * A line without its end: `sha256:… FILE` (digest), `… FILE` as sha256sum writes it (sum), `SHA256 (FILE) = …` as its
 * option --tag (tag). A name with a backslash or a line end is escaped, which a leading backslash says.
 */
export function formatLine(digest: Digest, file: string, format: LineFormat): string {
  const name = escaped(file)
  const mark = name === file ? '' : '\\'
  const algorithm = algorithmOf(digest)
  const encoded = digest.slice(algorithm.length + 1)
  if (format === 'tag') return `${mark}${algorithm.toUpperCase()} (${name}) = ${encoded}`
  return `${mark}${format === 'sum' ? encoded : digest}  ${name}`
}

export function escaped(file: string): string {
  return file.replace(/[\\\n\r]/g, (character) => ({ '\\': '\\\\', '\n': '\\n', '\r': '\\r' })[character]!)
}

/** One line of a list. */
export interface Listed {
  digest: Digest
  file: string
}

/** Reads the lines of lists; what it has seen decides how it reads what follows, over all lists. */
export class LineReader {
  readonly #algorithms: readonly string[]
  // COMPAT(sha256sum): one blank between hash and name (md5 of BSD with -r) or two; the first line decides for all,
  // or a name could gain or lose a blank by the choice of a file name.
  #blanks: 1 | 2 | undefined

  /** Lines of other algorithms are improper; no algorithms: all are taken. */
  constructor(algorithms: readonly string[]) {
    this.#algorithms = algorithms
  }

  /** `undefined`: improperly formatted. */
  read(line: string): Listed | undefined {
    const mark = /^[ \t]*\\/.test(line)
    const text = line.replace(/^[ \t]*\\?/, '')
    const found = this.#tagged(text) ?? this.#listed(text)
    if (!found) return undefined
    const file = mark ? unescaped(found.file) : found.file
    return file === undefined ? undefined : { digest: found.digest, file }
  }

  #tagged(text: string): Listed | undefined {
    const match = /^([A-Z0-9][A-Z0-9-]*) ?\((.*)\)[ \t]*=[ \t]*([0-9A-Fa-f]+)$/s.exec(text)
    if (!match) return undefined
    const digest = this.#digest(match[1]!.toLowerCase(), match[3]!)
    return digest && { digest, file: match[2]! }
  }

  #listed(text: string): Listed | undefined {
    const match = /^(?:([a-z0-9.+_-]+):)?([0-9A-Za-z]+)[ \t](.+)$/s.exec(text)
    if (!match) return undefined
    const [, algorithm, encoded, rest] = match as unknown as [string, string | undefined, string, string]
    const digest =
      algorithm === undefined ? this.#bare(encoded) : this.#digest(algorithm, encoded, { exact: true })
    if (!digest) return undefined
    if (rest.length === 1 || !/^[ *]/.test(rest)) {
      if (this.#blanks === 2) return undefined
      this.#blanks = 1
    } else if (this.#blanks !== 1) {
      this.#blanks = 2
      return { digest, file: rest.slice(1) }
    }
    return { digest, file: rest }
  }

  /** A hash alone: of the algorithm asked for, or of the one that its length tells. */
  #bare(encoded: string): Digest | undefined {
    const asked = this.#algorithms.length === 1 ? this.#algorithms[0] : undefined
    const algorithm = asked ?? BY_LENGTH[encoded.length]
    return algorithm === undefined ? undefined : this.#digest(algorithm, encoded)
  }

  /** sha256sum takes capitals; a digest in the form of the specification has none. */
  #digest(algorithm: string, encoded: string, { exact = false } = {}): Digest | undefined {
    if (this.#algorithms.length > 0 && !this.#algorithms.includes(algorithm)) return undefined
    const text = `${algorithm}:${exact ? encoded : encoded.toLowerCase()}`
    return isDigest(text) ? digestFromEncoded(algorithm, text.slice(algorithm.length + 1)) : undefined
  }
}

/** `undefined` for an invalid escape. */
function unescaped(name: string): string | undefined {
  if (/\\(?![\\nr])/.test(name.replaceAll('\\\\', ''))) return undefined
  return name.replace(/\\([\\nr])/g, (_, letter: string) => ({ '\\': '\\', n: '\n', r: '\r' })[letter]!)
}
