//! Our own tar: V7, ustar, GNU and PAX. Names are bytes. Where the dialects contradict each other POSIX decides, as every
//! disagreement between two readers about where an entry ends is a way to smuggle one in (CVE-2025-62518).

pub(crate) mod acl;
mod content;
mod header;
mod pax;
mod reader;
mod sparse;
pub mod write;

pub use content::content;
pub use reader::Reader;

/// One entry with all extended headers applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: Vec<u8>,
    pub kind: EntryKind,
    /// Permission bits with set-id and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    /// Bytes in the archive.
    pub stored: u64,
    /// Bytes of the file, holes included.
    pub size: u64,
    /// Where the stored bytes belong: offset and length, in order; `None` for a file without holes.
    pub map: Option<Vec<(u64, u64)>>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Directory,
    /// The target, as it stands.
    Symlink(Vec<u8>),
    /// The path of the other name.
    HardLink(Vec<u8>),
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
    /// A type flag nobody defined: its body is skipped.
    Unknown(u8),
}

/// Seconds since the epoch, which may be negative, and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Time {
    pub seconds: i64,
    pub nanoseconds: u32,
}

pub(crate) const BLOCK: usize = 512;
