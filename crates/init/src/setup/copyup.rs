//! `tmpcopyup`: a new tmpfs starts with what the image has at its mount point.

use std::os::fd::{AsFd, BorrowedFd};

use caisson_code::Code;
use caisson_sys::file::{
    self, Kind, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY,
};
use caisson_sys::{copy, device};

use crate::failure::{Result, SetupError};

/// Deeper trees are an attack on our stack, or a loop.
const MAX_DEPTH: usize = 256;

/// Copies what is in `from` into the empty directory `to`: files, directories, links, nodes; with owners, modes and
/// times.
pub fn fill(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    copy_entries(file::open_at(from, ".", O_RDONLY | O_DIRECTORY, 0)?.as_fd(), to, 0)
}

fn copy_entries(from: BorrowedFd<'_>, to: BorrowedFd<'_>, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(SetupError::refused(
            Code::LimitExceeded,
            format!("tmpcopyup: more than {MAX_DEPTH} directories deep"),
        ));
    }
    for name in copy::names(from)? {
        copy_entry(from, to, &name, depth).map_err(|problem| problem.on(&name))?;
    }
    Ok(())
}

fn copy_entry(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &str, depth: usize) -> Result<()> {
    // SECURITY: the image may have a fifo or a device here: it is looked at before it is opened for reading.
    let found = file::open_at(from, name, file::O_PATH | O_NOFOLLOW, 0)?;
    let status = file::status(found.as_fd())?;
    match status.kind {
        Kind::Directory => {
            file::make_directory(to, name, 0o700)?;
            let made = file::open_at(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)?;
            let inner = file::open_at(found.as_fd(), ".", O_RDONLY | O_DIRECTORY, 0)?;
            copy_entries(inner.as_fd(), made.as_fd(), depth + 1)?;
        }
        Kind::RegularFile => {
            let source = file::open_at(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)?;
            if file::status(source.as_fd())?.inode != status.inode {
                return Err(SetupError::unsafe_path("tmpcopyup: the file was swapped while it was copied"));
            }
            let made = file::open_at(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)?;
            copy::content(source.as_fd(), made.as_fd())?;
        }
        Kind::Symlink => file::make_symlink(&file::read_link(found.as_fd(), "")?, to, name)?,
        Kind::Socket => return Ok(()), // means nothing without the process that listens
        kind => device::make_node(to, name, kind, 0o600, status.node)?,
    }
    let made = file::open_at(to, name, file::O_PATH | O_NOFOLLOW, 0)?;
    file::change_owner(made.as_fd(), Some(status.uid), Some(status.gid))?;
    if status.kind != Kind::Symlink {
        copy::mode(to, name, status.permissions)?;
    }
    Ok(copy::times(found.as_fd(), to, name)?)
}
