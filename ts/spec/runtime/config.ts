/** config.json of the OCI runtime specification 1.3 (config.md). Names are the specification's. */
import type { FreeBsd } from './freebsd.ts'
import type { Linux } from './linux.ts'
import type { IdMapping } from './namespaces.ts'
import type { Process } from './process.ts'
import type { Solaris } from './solaris.ts'
import type { Vm } from './vm.ts'
import type { Windows } from './windows.ts'
import type { Zos } from './zos.ts'

/** The configuration of a container (config.md). */
export interface RuntimeSpec {
  /** SemVer of the specification the document follows, e.g. `1.3.0` ("Specification version"). */
  ociVersion: string
  /** The root file system; required on Linux ("Root"). */
  root?: Root
  /** Mounted in this order ("Mounts"). */
  mounts?: Mount[] | null
  /** The program; required once the container is started ("Process"). */
  process?: Process
  /** At most 64 bytes on Linux; needs a UTS namespace of the container's own ("Hostname"). */
  hostname?: string
  /** As `hostname` ("Domainname"). */
  domainname?: string
  /** Programs of the host that run at points of the life cycle ("POSIX-platform Hooks"). */
  hooks?: Hooks | null
  /** Arbitrary; keys must not be empty ("Annotations"). */
  annotations?: Record<string, string> | null
  /** config-linux.md. */
  linux?: Linux
  /** config-solaris.md; typed and passed through. */
  solaris?: Solaris
  /** config-windows.md; typed and passed through. */
  windows?: Windows
  /** config-vm.md; typed and passed through. */
  vm?: Vm
  /** config-zos.md; typed and passed through. */
  zos?: Zos
  /** config-freebsd.md; typed and passed through. */
  freebsd?: FreeBsd
  /** Unknown properties are kept (config.md, "Extensibility"). */
  [property: string]: unknown
}

/** config.md, "Root". */
export interface Root {
  /** A directory: absolute, or relative to the bundle. */
  path: string
  /** Whether the container may not write to it; false by default. */
  readonly?: boolean
}

/** config.md, "Mounts". */
export interface Mount {
  /** Path inside the container; on Linux a relative one counts from `/`. */
  destination: string
  /** File system, e.g. `tmpfs`; not used for binds. */
  type?: string
  /** Device or name; for binds a path, absolute or relative to the bundle. */
  source?: string
  /** Of mount(8), and what the file system takes ("Linux mount options"). */
  options?: string[]
  /** Ids of the mounted files inside; together with `gidMappings`. */
  uidMappings?: IdMapping[]
  /** As `uidMappings`. */
  gidMappings?: IdMapping[]
}

/** config.md, "POSIX-platform Hooks", in the order they run. */
export interface Hooks {
  /** Deprecated: before `createRuntime`, in the runtime's namespaces. */
  prestart?: Hook[] | null
  /** During create, before pivot_root, in the runtime's namespaces. */
  createRuntime?: Hook[] | null
  /** As `createRuntime`, in the container's namespaces. */
  createContainer?: Hook[] | null
  /** During start, before the program, in the container's namespaces. */
  startContainer?: Hook[] | null
  /** After the program was started, before start returns. */
  poststart?: Hook[] | null
  /** After the container was deleted, before delete returns. */
  poststop?: Hook[] | null
}

/** config.md, "POSIX-platform Hooks"; reads the state of the container from its standard input. */
export interface Hook {
  /** Absolute. */
  path: string
  /** With the name of the program first, as execv(3) takes them. */
  args?: string[]
  /** `NAME=value`. */
  env?: string[]
  /** Seconds, above 0; the hook is killed after them. */
  timeout?: number
}
