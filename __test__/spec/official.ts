/**
 * The specifications themselves, as Go modules: schemas, test cases, examples. `go` downloads them; none is kept here.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readObject } from '../../ts/spec/json/object.ts'
import { Ajv as Draft04 } from './draft-04.ts'

const MODULES = [
  'github.com/opencontainers/runtime-spec@v1.3.0',
  'github.com/opencontainers/image-spec@v1.1.1',
]

export interface Official {
  /** Folders of the two specifications. */
  runtime: string
  image: string
}

/** The two folders, or why they are missing. */
function official(): Official | string {
  const { error, status, stdout, stderr } = spawnSync('go', ['mod', 'download', '-json', ...MODULES], {
    encoding: 'utf8',
    cwd: '/',
    timeout: 120_000,
  })
  if (error) return 'needs go, to download the specifications'
  if (status !== 0) return `the specifications cannot be downloaded: ${stderr.trim().split('\n')[0] ?? ''}`
  const [runtime, image] = [...stdout.matchAll(/"Dir": "([^"]+)"/g)].map(([, path]) => path)
  return runtime && image ? { runtime, image } : 'go told no folders'
}

export interface Case {
  title: string
  text: string
  good: boolean
}

/** `schema/test/KIND/{good,bad}/*.json` of the runtime specification. */
export function runtimeCases({ runtime }: Official, kind: string): Case[] {
  return ['good', 'bad'].flatMap((verdict) => {
    const folder = join(runtime, 'schema/test', kind, verdict)
    return readdirSync(folder).map((name) => ({
      title: `${kind}/${verdict}/${name}`,
      text: readFileSync(join(folder, name), 'utf8'),
      good: verdict === 'good',
    }))
  })
}

/** The raw strings in the tables of a Go test, each with its `fail`. */
export function imageCases({ image }: Official, file: string, field = '\\w+'): Case[] {
  const source = readFileSync(join(image, 'schema', file), 'utf8')
  const entries = source.split(/\n\t\t\{\n/).slice(1)
  return entries.flatMap((entry, index) => {
    const body = entry.split(/\n\t\t\},?\n/)[0] ?? ''
    const text = new RegExp(`(?:${field}):\\s*\`([^\`]*)\``).exec(body)?.[1]
    if (text === undefined) return []
    return [{ title: `${file} ${index}`, text, good: !/\bfail:\s*true/.test(body.replace(/`[^`]*`/, '')) }]
  })
}

/** Fenced examples with a media type: ```json,title=…&mediatype=…. */
export function imageExamples({ image }: Official): { mediaType: string; title: string; text: string }[] {
  const pages = readdirSync(image).filter((name) => name.endsWith('.md'))
  return pages.flatMap((page) => {
    const source = readFileSync(join(image, page), 'utf8')
    return [...source.matchAll(/```json,([^\n]*)\n([^]*?)\n *```/g)].flatMap(([, info, text]) => {
      const mediaType = new URLSearchParams(info!.replaceAll('+', '%2B')).get('mediatype')
      return mediaType === null ? [] : [{ mediaType, title: `${page}: ${info}`, text: text! }]
    })
  })
}

/** Every JSON block of a page of the runtime specification; fragments as objects of their own. */
export function runtimeExamples({ runtime }: Official, page: string): Record<string, unknown>[] {
  const source = readFileSync(join(runtime, page), 'utf8')
  return [...source.matchAll(/```json\n([^]*?)\n\s*```/g)].flatMap(([, text]) => {
    for (const attempt of [text!, `{${text}}`]) {
      try {
        return [readObject(attempt, page)]
      } catch {
        // A fragment, or with dots for omitted parts.
      }
    }
    return []
  })
}

/** The official schema as a function. `id`s are taken out, as references between the files are by name. */
export function schemaOf(folder: string, root: string): (value: unknown) => boolean {
  const ajv = new Draft04()
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    // One reference of 1.3.0 lacks its slash.
    const text = readFileSync(join(folder, name), 'utf8').replaceAll('"#definitions', '"#/definitions')
    ajv.addSchema(withoutIds(JSON.parse(text)) as object, name)
  }
  const validate = ajv.getSchema(root)
  if (!validate) throw new Error(`no schema ${root}`)
  return (value) => validate(value) as boolean
}

function withoutIds(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutIds)
  if (typeof schema !== 'object' || schema === null) return schema
  const members = Object.entries(schema).filter(([name, value]) => name !== 'id' || typeof value !== 'string')
  return Object.fromEntries(members.map(([name, value]) => [name, withoutIds(value)]))
}

const found = official()

/** `test`, or a counted skip with its reason. */
export function judged(title: string, body: (t: ExecutionContext, specifications: Official) => void): void {
  if (typeof found !== 'string') {
    test(title, (t) => body(t, found))
    return
  }
  console.error(`skipped: ${title}: ${found}`)
  test.skip(title, (t) => t.pass())
}
