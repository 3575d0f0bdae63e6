//! Reads files that this process may not open: those of a user's subordinate ids, through a process that is root in a
//! user namespace.

use std::fmt::Debug;
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::Result;

/// The purpose of opening a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Any file, including a link, for its status (O_PATH).
    Handle,
    /// A directory, for listing.
    Directory,
    /// A file, for reading. A FIFO does not block.
    File,
}

/// Opens files that this process may not.
pub trait Rights: Debug + Send + Sync {
    /// Opens `path` below `directory` without following links. `shown` is its path in errors.
    fn open(&self, directory: BorrowedFd<'_>, path: &[u8], opening: Opening, shown: &[u8])
    -> Result<OwnedFd>;

    /// The value of an extended attribute of the file behind an O_PATH descriptor.
    fn attribute(&self, file: BorrowedFd<'_>, name: &[u8], shown: &[u8]) -> Result<Vec<u8>>;
}
