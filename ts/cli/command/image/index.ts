import type { Command } from '../../command.ts'
import { addLayer } from './add-layer.ts'
import { cat } from './cat.ts'
import { commit } from './commit.ts'
import { config } from './config.ts'
import { convert } from './convert.ts'
import { copy } from './copy.ts'
import { diff } from './diff.ts'
import { export_ } from './export.ts'
import { fromHost } from './from-host.ts'
import { gc } from './gc.ts'
import { init } from './init.ts'
import { insert } from './insert.ts'
import { inspect } from './inspect.ts'
import { ls } from './ls.ts'
import { new_ } from './new.ts'
import { rebase } from './rebase.ts'
import { repack } from './repack.ts'
import { rm } from './rm.ts'
import { runtimeConfig } from './runtime-config.ts'
import { squash } from './squash.ts'
import { tag } from './tag.ts'
import { unpack } from './unpack.ts'
import { verify } from './verify.ts'

export const image: Command = {
  name: 'image',
  usage: 'work with image layouts',
  argsUsage: 'command',
  description: `Makes, changes, reads and checks images on disk. Options are umoci's where umoci has them; an image is
--image DIRECTORY[:TAG], or a reference with its transport (oci:DIRECTORY:TAG) as the first argument.`,
  flags: [],
  subcommands: [
    init,
    new_,
    fromHost,
    ls,
    inspect,
    unpack,
    runtimeConfig,
    repack,
    commit,
    config,
    insert,
    addLayer,
    tag,
    rm,
    gc,
    copy,
    convert,
    squash,
    rebase,
    export_,
    cat,
    diff,
    verify,
  ],
  min: 0,
  max: 0,
  run: () => Promise.resolve(0), // never: main.ts runs one of the subcommands
}
