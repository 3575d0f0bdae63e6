/** Unpacks images as another user: `unpack-as UID`, pairs of layout and target on stdin, outcomes on stdout. */
import { readFileSync } from 'node:fs'
import { Image } from '../../ts/image/index.ts'
import { addon } from '../../ts/native/addon.ts'

const uid = Number(process.argv[2])
const jobs = JSON.parse(readFileSync(0, 'utf8')) as [layout: string, target: string, options?: object][]
addon() // while the checkout can still be read
if (process.getuid?.() !== uid) {
  process.setgroups?.([])
  process.setgid?.(uid)
  process.setuid?.(uid)
}
const outcomes: object[] = []
for (const [layout, target, options] of jobs) {
  try {
    const image = await Image.open(`oci:${layout}:test`)
    const result = await image.unpackRootfs(target, options)
    outcomes.push({ code: null, message: '', result })
  } catch (error) {
    const { code, message } = error as Error & { code?: string }
    outcomes.push({ code: code ?? 'no code', message })
  }
}
console.log(JSON.stringify(outcomes))
