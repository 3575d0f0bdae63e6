//! A tar implementation for V7, ustar, GNU and PAX. Names are bytes. Where the dialects contradict each other POSIX
//! decides: two readers that disagree on where an entry ends let an attacker smuggle one in (CVE-2025-62518).

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
    /// Permission bits, set-id bits and sticky bit.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    /// Size in the archive.
    pub stored: u64,
    /// Size of the file, holes included.
    pub size: u64,
    /// Offset and length of each stored part, in order; `None` for a file without holes.
    pub map: Option<Vec<(u64, u64)>>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Directory,
    /// The target, verbatim.
    Symlink(Vec<u8>),
    /// The path of the existing name.
    HardLink(Vec<u8>),
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
    /// An undefined type flag: its body is skipped.
    Unknown(u8),
}

/// Nanoseconds and seconds since the epoch, which may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Time {
    pub seconds: i64,
    pub nanoseconds: u32,
}

pub(crate) const BLOCK: usize = 512;
