//! Reading what is closed to this process: files of an ordinary user's subordinate ids, through a process that is root in a
//! user namespace.

use std::fmt::Debug;
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::Result;

/// What is opened, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Anything, a link too, to look at it (O_PATH).
    Handle,
    /// A directory, to list it.
    Directory,
    /// A file, to read it. A FIFO does not block.
    File,
}

/// Opens what we may not.
pub trait Rights: Debug + Send + Sync {
    /// What is at `path` below `directory`, over no link. `shown` is its path for errors.
    fn open(&self, directory: BorrowedFd<'_>, path: &[u8], opening: Opening, shown: &[u8])
    -> Result<OwnedFd>;

    /// Value of an extended attribute of the file behind an O_PATH descriptor.
    fn attribute(&self, file: BorrowedFd<'_>, name: &[u8], shown: &[u8]) -> Result<Vec<u8>>;
}
