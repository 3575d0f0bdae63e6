/** Attributes that are easy to lose or to hand on: access control lists, inherited groups, both forms of xattrs. */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { needs } from '../fixtures/needs.ts'
import { readTree, type Tree } from '../fixtures/tree.ts'
import { Image, type UnpackOptions, type UnpackResult } from '../../ts/image/index.ts'
import { scratch, tar, writeLayout, type TestEntry } from './fixture.ts'

const ACCESS = 'system.posix_acl_access'
const DEFAULT = 'system.posix_acl_default'
const list = 'user::rwx,user:1000:r-x,group::r-x,mask::r-x,other::r-x'
const binary =
  '02000000' +
  '01000700ffffffff' +
  '02000500e8030000' +
  '04000500ffffffff' +
  '10000500ffffffff' +
  '20000500ffffffff'

async function unpack(
  t: ExecutionContext,
  layers: TestEntry[][],
  prepare: (parent: string) => void = () => undefined,
  options: UnpackOptions = {},
): Promise<{ tree: Tree; result: UnpackResult }> {
  const base = scratch(t)
  writeLayout(
    join(base, 'images'),
    layers.map((entries) => tar(entries)),
  )
  const parent = join(base, 'parent')
  mkdirSync(parent)
  prepare(parent)
  const image = await Image.open(`oci:${base}/images:test`)
  const result = await image.unpackRootfs(join(parent, 'rootfs'), options)
  return { tree: readTree(join(parent, 'rootfs')), result }
}

function setAttribute(path: string, name: string, value: string): void {
  const script = 'import os, sys; os.setxattr(sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3]))'
  const { status, stderr } = spawnSync('python3', ['-c', script, path, name, value], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

const asRoot = needs('root', 'python3')
const python = needs('python3')

asRoot('access control lists are kept and nothing inherits them, in either layer', async (t) => {
  const { tree, result } = await unpack(t, [
    [
      { name: 'd/', mode: 0o755, pax: { 'SCHILY.acl.default': list, 'SCHILY.acl.access': list } },
      { name: 'd/f', content: 'x' },
      { name: 'd/sub/' },
      { name: 'listed', content: 'x', mode: 0o755, pax: { 'SCHILY.acl.access': list.replaceAll(',', '\n') } },
    ],
    [{ name: 'd/later', content: 'x' }],
  ])
  t.deepEqual(result.skipped, [])
  t.deepEqual(tree.get('d')?.xattrs, { [ACCESS]: binary, [DEFAULT]: binary })
  t.is(tree.get('d')?.mode, '755')
  t.deepEqual(tree.get('listed')?.xattrs, { [ACCESS]: binary })
  for (const name of ['d/f', 'd/sub', 'd/later']) t.deepEqual(tree.get(name)?.xattrs, {}, name)
  t.is(tree.get('d/f')?.mode, '644')
})

asRoot('a layer that describes a directory anew takes its list away', async (t) => {
  const { tree } = await unpack(t, [
    [{ name: 'd/', pax: { 'SCHILY.acl.default': list, 'SCHILY.xattr.user.a': '1' } }],
    [{ name: 'd/', pax: { 'SCHILY.xattr.user.b': '2' } }],
  ])
  t.deepEqual(tree.get('d')?.xattrs, { 'user.b': '32' })
})

python('a list of the directory around the target, and its group, are not inherited', async (t) => {
  const root = process.geteuid?.() === 0
  const { tree } = await unpack(
    t,
    [[{ name: 'd/' }, { name: 'd/f', content: 'x' }, { name: 'l', type: '2', link: 'd' }]],
    (parent) => {
      setAttribute(parent, DEFAULT, binary)
      if (root) chownSync(parent, 0, 33)
      chmodSync(parent, 0o2775)
    },
  )
  for (const [name, { xattrs, gid }] of tree) {
    t.deepEqual(xattrs, {}, name)
    if (root) t.is(gid, name === '.' ? 33 : 0, name)
  }
  t.is(tree.get('d/f')?.mode, '644')
})

python('a list that names users is reported, rootless also one that numbers them', async (t) => {
  const entries: TestEntry[] = [
    { name: 'named', content: '', pax: { 'SCHILY.acl.access': list.replace('1000', 'lisa') } },
    { name: 'numbered', content: '', pax: { 'SCHILY.acl.access': list } },
    { name: 'plain', content: '', pax: { 'SCHILY.acl.access': 'user::rw-,group::r--,other::r--' } },
  ]
  const { tree, result } = await unpack(t, [entries], undefined, { rootless: true })
  t.deepEqual(
    result.skipped.map(({ path, what }) => [path, what]),
    [
      ['named', 'xattr'],
      ['numbered', 'xattr'],
    ],
  )
  for (const [name, { xattrs }] of tree) t.deepEqual(xattrs, {}, name)
})

python('attributes in both forms are set once, the exact one first', async (t) => {
  const { tree } = await unpack(t, [
    [
      {
        name: 'f',
        content: '',
        pax: {
          'SCHILY.xattr.user.both': 'exact',
          'LIBARCHIVE.xattr.user.both': 'b3RoZXI',
          'LIBARCHIVE.xattr.user.a%3Db': 'aGk',
          'SCHILY.xattr.user.empty': '',
        },
      },
    ],
  ])
  const hex = (text: string): string => Buffer.from(text).toString('hex')
  t.deepEqual(tree.get('f')?.xattrs, { 'user.both': hex('exact'), 'user.a=b': hex('hi'), 'user.empty': '' })
})

asRoot('file capabilities survive the change of owner', async (t) => {
  const capability = '0100000200040000000000000000000000000000' // cap_net_bind_service=ep, version 2
  const pax = { 'LIBARCHIVE.xattr.security.capability': Buffer.from(capability, 'hex').toString('base64') }
  const { tree } = await unpack(t, [[{ name: 'f', content: 'x', mode: 0o4755, uid: 5, gid: 6, pax }]])
  const { mode, uid, gid, xattrs } = tree.get('f')!
  t.deepEqual([mode, uid, gid], ['4755', 5, 6])
  t.deepEqual(xattrs, { 'security.capability': capability })
})
