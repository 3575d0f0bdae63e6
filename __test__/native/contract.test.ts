/** The hand-written face (ts/native) against the generated one (binding.d.ts) and the exports of the addon. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import ts from 'typescript'
import { addon } from '../../ts/native/addon.ts'
import { VERSION } from '../../ts/version.ts'
import { checkout } from '../fixtures/program.ts'

const GENERATED = join(checkout, 'ts/native/binding.d.ts')
const FACE = join(checkout, 'ts/native/')

/** Members without a caller, and why they exist. */
const UNCALLED: Readonly<Record<string, string>> = {
  'Engine.close': 'the environment calls it when it ends',
  // Methods of a Hasher, called through that type.
  'NativeHasher.copy': 'Hasher',
  'NativeHasher.digest': 'Hasher',
  'NativeHasher.update': 'Hasher',
}

const program = open()
const checker = program.getTypeChecker()
const generated = program.getSourceFile(GENERATED)!
const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(generated)!)

function open(): ts.Program {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(checkout, 'tsconfig.json'),
    { skipLibCheck: false, include: ['ts'] } as ts.CompilerOptions,
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} },
  )!
  const sources = config.fileNames.filter((name) => name.startsWith(join(checkout, 'ts/')))
  return ts.createProgram([...new Set([...sources, GENERATED])], config.options)
}

const isValue = (symbol: ts.Symbol): boolean =>
  (symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Function)) !== 0

/** Names of the methods of a class. */
const members = (symbol: ts.Symbol): string[] =>
  [...(symbol.members?.keys() ?? [])].map(String).filter((name) => !name.startsWith('__'))

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  node.forEachChild((child) => walk(child, visit))
}

const canBeAny = (node: ts.Node): boolean =>
  ts.isCallExpression(node) ||
  ts.isPropertyAccessExpression(node) ||
  ts.isElementAccessExpression(node) ||
  (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name)) ||
  ts.isParameter(node)

const sources = program
  .getSourceFiles()
  .filter(({ fileName }) => fileName.startsWith(join(checkout, 'ts/')) && fileName !== GENERATED)

test('names of native types are unique: two structs with one name would be merged', (t) => {
  t.true(exported.length > 40)
  for (const symbol of exported) t.is(symbol.declarations?.length, 1, symbol.name)
  for (const symbol of exported)
    for (const member of symbol.members?.values() ?? []) t.is(member.declarations?.length, 1, member.name)
})

test('the addon exports exactly what is declared', (t) => {
  const values = exported.filter(isValue)
  const real = addon() as unknown as Record<string, unknown>
  t.deepEqual(Object.keys(real).sort(), values.map(({ name }) => name).sort())
  for (const symbol of values) {
    if (!(symbol.flags & ts.SymbolFlags.Class)) {
      t.is(typeof real[symbol.name], 'function', symbol.name)
      continue
    }
    const { prototype } = real[symbol.name] as { prototype: object }
    const methods = Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor')
    t.deepEqual(methods.sort(), members(symbol).sort(), symbol.name)
  }
})

test('everything native is used', (t) => {
  const used = new Set<ts.Declaration | undefined>()
  for (const source of sources)
    walk(source, (node) => {
      if (!ts.isIdentifier(node) || ts.isImportSpecifier(node.parent) || ts.isExportSpecifier(node.parent))
        return
      const symbol = checker.getSymbolAtLocation(node)
      const isAlias = symbol && symbol.flags & ts.SymbolFlags.Alias
      used.add((isAlias ? checker.getAliasedSymbol(symbol) : symbol)?.declarations?.[0])
    })
  const isUsed = (symbol: ts.Symbol): boolean => used.has(symbol.declarations?.[0])
  const unused = exported.flatMap((symbol) => {
    if (isValue(symbol) && !isUsed(symbol)) return [symbol.name]
    if (!(symbol.flags & ts.SymbolFlags.Class)) return []
    const methods = [...(symbol.members?.values() ?? [])].filter(({ flags }) => flags & ts.SymbolFlags.Method)
    return methods.filter((method) => !isUsed(method)).map(({ name }) => `${symbol.name}.${name}`)
  })
  t.deepEqual(unused.sort(), Object.keys(UNCALLED).sort())
})

test('types of arguments and results match', (t) => {
  const diagnostics = [generated, ...sources.filter(({ fileName }) => fileName.startsWith(FACE))].flatMap(
    (source) => [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)],
  )
  t.deepEqual(
    diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
    [],
  )
})

test('nothing in the face has the type any, unless the test lists it', (t) => {
  const loose: string[] = []
  for (const source of sources.filter(({ fileName }) => fileName.startsWith(FACE)))
    walk(source, (node) => {
      if (!canBeAny(node) || !(checker.getTypeAtLocation(node).flags & ts.TypeFlags.Any)) return
      if (ts.isAsExpression(node.parent)) return
      const { line } = source.getLineAndCharacterOfPosition(node.getStart())
      loose.push(`${source.fileName.slice(FACE.length)}:${line + 1}: ${node.getText()}`)
    })
  t.deepEqual(loose, [])
})

test('package, crates, platform packages and addon have one version', (t) => {
  const read = (name: string): string => readFileSync(join(checkout, name), 'utf8')
  for (const name of ['package.json', 'npm/linux-x64-gnu/package.json', 'npm/linux-arm64-gnu/package.json'])
    t.is((JSON.parse(read(name)) as { version: string }).version, VERSION, name)
  t.is(/^\[workspace\.package\]\nversion = "(.*)"$/m.exec(read('Cargo.toml'))?.[1], VERSION)
  t.is(addon().version(), VERSION)
})
