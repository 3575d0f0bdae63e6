/** What a layer can be made of. */

/** Attributes of something that is made. */
export interface EntryAttributes {
  /** Permission bits with set-id and sticky; 0o644 for files, 0o755 for directories. */
  mode?: number | undefined
  /** Default 0. */
  uid?: number | undefined
  gid?: number | undefined
  /** Seconds since 1970; default SOURCE_DATE_EPOCH, else 0. */
  mtime?: number | undefined
  xattrs?: Readonly<Record<string, string | Uint8Array>> | undefined
}

/** A text, bytes, a stream, or what a file of the host holds (links are followed). */
export type FileContent = string | Uint8Array | AsyncIterable<Uint8Array | string> | { file: string }

/** A file with the content given here. A stream is kept on disk until its size is known. */
export interface FileEntry extends EntryAttributes {
  path: string
  content: FileContent
}

/** A directory, empty as far as nothing else puts something into it. */
export interface DirectoryEntry extends EntryAttributes {
  path: string
  type: 'directory'
}

export interface SymlinkEntry extends EntryAttributes {
  path: string
  type: 'symlink'
  /** Any text. */
  target: string
}

/** Another name of a file: it has the attributes of that file, and no others. */
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

/** How a tree of the host is read. */
export interface TreeReading {
  /** Paths below the tree that are left out. */
  exclude?: readonly string[] | undefined
  /** Whose everything is in the image, whatever the tree says. */
  uid?: number | undefined
  gid?: number | undefined
  /**
   * From ids of the host to ids in the image. With both an ordinary user reads what is closed to that user as root of a user
   * namespace with these maps; it is started (with newuidmap and newgidmap) where something is closed.
   */
  uidMap?: readonly IdRange[] | undefined
  gidMap?: readonly IdRange[] | undefined
  /**
   * The tree of an ordinary user: everything is root's in the image, except what `user.rootlesscontainers` records.
   * Default: true unless root.
   */
  rootless?: boolean | undefined
}

export interface IdRange {
  container: number
  host: number
  size: number
}

/** A file or directory of the host, with all below it, as `path`. */
export interface CopyEntry extends TreeReading {
  path: string
  source: string
}

/** Files by their paths below `path`: contents, or contents with attributes; `null` hides what lower layers have. */
export interface VirtualTree {
  path: string
  tree: Readonly<Record<string, string | Uint8Array | (EntryAttributes & { content: FileContent }) | null>>
}

/** Hides a path of the layers below (a whiteout). */
export interface RemoveEntry {
  path: string
  remove: true
}

/** Hides everything that the layers below have in a directory. */
export interface OpaqueEntry {
  path: string
  opaque: true
}

/** One part of a layer; later ones win. */
export type LayerEntry =
  FileEntry | DirectoryEntry | LinkEntry | SpecialEntry | CopyEntry | VirtualTree | RemoveEntry | OpaqueEntry

/** What history says of a layer or of a change of the configuration. */
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
  /** Of the layer's descriptor. */
  annotations?: Readonly<Record<string, string>> | undefined
}

/** A ready archive, in any compression, with the compression of the build or (`verbatim`) as it is. */
export interface ArchiveLayer {
  archive: string
  verbatim?: boolean | undefined
  history?: HistoryOptions | false | undefined
  annotations?: Readonly<Record<string, string>> | undefined
}

/**
 * The upper directory of an overlay, mounted on the layers so far: what a container wrote. What it hides is hidden by name.
 */
export interface UpperLayer extends TreeReading {
  upper: string
  history?: HistoryOptions | false | undefined
  annotations?: Readonly<Record<string, string>> | undefined
}

/**
 * What makes `before` to the directory. Content counts, not only sizes and times. Where nothing changed there is no
 * layer.
 */
export interface DifferenceLayer extends TreeReading {
  directory: string
  /** The layers so far, a manifest that `snapshot` wrote, or another directory. Default: the layers so far. */
  before?: 'image' | { manifest: string } | { directory: string } | undefined
  /** The directory was unpacked with the option of this name. */
  keepDirlinks?: boolean | undefined
  /** Paths in which changes do not count, such as volumes. */
  mask?: readonly string[] | undefined
  history?: HistoryOptions | false | undefined
  annotations?: Readonly<Record<string, string>> | undefined
}

export type LayerOptions = EntriesLayer | ArchiveLayer | UpperLayer | DifferenceLayer
