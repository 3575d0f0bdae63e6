/** The possible contents of a layer. */

/** Attributes of a new entry. */
export interface EntryAttributes {
  /** Permission bits, set-id bits and sticky bit; 0o644 for files, 0o755 for directories. */
  mode?: number | undefined
  /** Default 0. */
  uid?: number | undefined
  gid?: number | undefined
  /** Seconds since 1970; default SOURCE_DATE_EPOCH, else 0. */
  mtime?: number | undefined
  xattrs?: Readonly<Record<string, string | Uint8Array>> | undefined
}

/** A string, bytes, a stream, or the content of a file of the host (links are followed). */
export type FileContent = string | Uint8Array | AsyncIterable<Uint8Array | string> | { file: string }

/** A file with the given content. A stream is spooled to disk until its size is known. */
export interface FileEntry extends EntryAttributes {
  path: string
  content: FileContent
}

/** A directory, empty unless other entries are inside. */
export interface DirectoryEntry extends EntryAttributes {
  path: string
  type: 'directory'
}

export interface SymlinkEntry extends EntryAttributes {
  path: string
  type: 'symlink'
  /** Any string. */
  target: string
}

/** A hard link: it shares all attributes of its file. */
export interface HardlinkEntry {
  path: string
  type: 'hardlink'
  /** A path in this layer. */
  target: string
}

export type LinkEntry = SymlinkEntry | HardlinkEntry

export interface SpecialEntry extends EntryAttributes {
  path: string
  type: 'char' | 'block' | 'fifo'
  major?: number | undefined
  minor?: number | undefined
}

/** How to read a tree of the host. */
export interface TreeReading {
  /** Paths, relative to the tree, to leave out. */
  exclude?: readonly string[] | undefined
  /** Owner of all entries in the image, overriding the tree. */
  uid?: number | undefined
  gid?: number | undefined
  /**
   * Maps ids of the host to ids in the image. With both, an unprivileged user reads inaccessible files as root of a
   * user namespace with these maps, which is started (with newuidmap and newgidmap) on demand.
   */
  uidMap?: readonly IdRange[] | undefined
  gidMap?: readonly IdRange[] | undefined
  /**
   * The tree of an unprivileged user: root owns everything in the image, except what `user.rootlesscontainers` records.
   * Default: true unless root.
   */
  rootless?: boolean | undefined
}

export interface IdRange {
  container: number
  host: number
  size: number
}

/** A file, or a directory with its content, of the host as `path`. */
export interface CopyEntry extends TreeReading {
  path: string
  source: string
}

/** Files by their paths below `path`: contents, or contents with attributes; `null` hides the path in lower layers. */
export interface VirtualTree {
  path: string
  tree: Readonly<Record<string, string | Uint8Array | (EntryAttributes & { content: FileContent }) | null>>
}

/** Hides a path of the layers below (a whiteout). */
export interface RemoveEntry {
  path: string
  remove: true
}

/** Hides everything of the layers below in a directory (an opaque whiteout). */
export interface OpaqueEntry {
  path: string
  opaque: true
}

/** A part of a layer; later parts take precedence. */
export type LayerEntry =
  FileEntry | DirectoryEntry | LinkEntry | SpecialEntry | CopyEntry | VirtualTree | RemoveEntry | OpaqueEntry

/** A history entry for a layer or a change of the configuration. */
export interface HistoryOptions {
  /** Default: that of the image. */
  author?: string | undefined
  comment?: string | undefined
  /** RFC 3339; default SOURCE_DATE_EPOCH, else now. */
  created?: string | undefined
  createdBy?: string | undefined
}

/** A layer of entries. */
export interface EntriesLayer {
  entries: readonly LayerEntry[]
  history?: HistoryOptions | false | undefined
  /** Annotations of the layer's descriptor. */
  annotations?: Readonly<Record<string, string>> | undefined
}

/** An existing archive in any compression, recompressed for the build, or unchanged with `verbatim`. */
export interface ArchiveLayer {
  archive: string
  verbatim?: boolean | undefined
  history?: HistoryOptions | false | undefined
  annotations?: Readonly<Record<string, string>> | undefined
}

/**
 * The upper directory of an overlay on the layers so far: the changes of a container. Whiteouts are written by name.
 */
export interface UpperLayer extends TreeReading {
  upper: string
  history?: HistoryOptions | false | undefined
  annotations?: Readonly<Record<string, string>> | undefined
}

/**
 * The changes from `before` to the directory. Contents are compared, not only sizes and times. Without changes no layer
 * is written.
 */
export interface DifferenceLayer extends TreeReading {
  directory: string
  /** The layers so far, a manifest of `snapshot`, or another directory. Default: the layers so far. */
  before?: 'image' | { manifest: string } | { directory: string } | undefined
  /** The directory was unpacked with this option. */
  keepDirlinks?: boolean | undefined
  /** Paths whose changes are ignored, such as volumes. */
  mask?: readonly string[] | undefined
  history?: HistoryOptions | false | undefined
  annotations?: Readonly<Record<string, string>> | undefined
}

export type LayerOptions = EntriesLayer | ArchiveLayer | UpperLayer | DifferenceLayer
