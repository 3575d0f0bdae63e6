/** The image that tests of the command begin with, and what `inspect` reports for it. */
import type { User } from './user.ts'

export interface Inspected {
  descriptor: { digest: string }
  manifest: {
    layers: { digest: string; mediaType: string; size: number }[]
    annotations?: Record<string, string>
  }
  config: {
    created?: string
    author?: string
    os: string
    architecture: string
    variant?: string
    config?: Record<string, unknown>
    history?: {
      created?: string
      created_by?: string
      author?: string
      comment?: string
      empty_layer?: boolean
    }[]
    rootfs: { diff_ids: string[] }
  }
}

export const inspect = (user: User, image = 'im:a'): Inspected =>
  user.json<Inspected>(`inspect --image ${image}`)

/** A layout with the image `a`: passwd, a directory and a few files. */
export function start(user: User): void {
  user.image('init --layout im')
  user.image('new --image im:a')
  user.sh(`mkdir -p src/etc src/dir src/bin
    printf 'root:x:0:0::/root:/bin/sh\\nweb:x:33:44::/srv:/bin/sh\\n' >src/etc/passwd
    printf 'root:x:0:\\nweb:x:44:\\nlog:x:9:web\\n' >src/etc/group
    echo one >src/dir/one; echo two >src/dir/two; echo three >src/three; echo conf >src/conf`)
  user.image('insert --image im:a src /')
}
