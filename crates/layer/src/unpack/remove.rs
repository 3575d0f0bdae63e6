//! Removes a tree by descriptors: links are not followed, and a tree deeper than the limit of descriptors is split.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

use super::attributes::change_mode_of_handle;
use super::owners::Owners;
use crate::{Error, Result};

/// Deeper directories are moved up and removed from there.
const MAX_OPEN: usize = 64;

/// Removes `name` in `parent`, whatever it is.
pub fn remove_tree(parent: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    remove_tree_of(parent, name, None)
}

/// Like [`remove_tree`], with `owners` returning directories of other ids.
pub fn remove_tree_of(parent: BorrowedFd<'_>, name: &[u8], owners: Option<&dyn Owners>) -> Result<()> {
    let mut moved = 0;
    let mut pending = vec![name.to_vec()];
    while let Some(name) = pending.pop() {
        remove_level(parent, &name, 0, owners, &mut |directory, deep| {
            let refuge = format!(".caisson-deep-{}-{moved}", std::process::id()).into_bytes();
            moved += 1;
            rustix::fs::renameat(directory, deep, parent, &refuge)
                .map_err(|errno| Error::system("renameat", deep, errno))?;
            pending.push(refuge);
            Ok(())
        })?;
    }
    Ok(())
}

type MoveUp<'f> = dyn FnMut(BorrowedFd<'_>, &[u8]) -> Result<()> + 'f;

fn remove_level(
    parent: BorrowedFd<'_>,
    name: &[u8],
    depth: usize,
    owners: Option<&dyn Owners>,
    move_up: &mut MoveUp<'_>,
) -> Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {} // POSIX returns EPERM for a directory
        Err(errno) => return Err(Error::system("unlinkat", name, errno)),
    }
    if depth == MAX_OPEN {
        return move_up(parent, name);
    }
    let directory = open_for_removal(parent, name, owners)?;
    for child in children(directory.as_fd(), name)? {
        remove_level(directory.as_fd(), &child, depth + 1, owners, move_up)?;
    }
    rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
        .map_err(|errno| Error::system("rmdir", name, errno))
}

/// Opens a directory of the effective user for reading and removing, whatever its mode.
fn open_for_removal(parent: BorrowedFd<'_>, name: &[u8], owners: Option<&dyn Owners>) -> Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let system = |call, errno| Error::system(call, name, errno);
    if !caisson_rights::writes_everything() {
        let handle = rustix::fs::openat(parent, name, flags | OFlags::PATH, Mode::empty())
            .map_err(|errno| system("openat", errno))?;
        let mut changed = change_mode_of_handle(handle.as_fd(), 0o700);
        if let (Err(Errno::PERM), Some(owners)) = (changed, owners) {
            let given = owners.give(handle.as_fd(), (0, 0), None, None);
            changed = given.and_then(|()| change_mode_of_handle(handle.as_fd(), 0o700));
        }
        changed.map_err(|errno| system("chmod", errno))?;
    }
    rustix::fs::openat(parent, name, flags | OFlags::RDONLY, Mode::empty())
        .map_err(|errno| system("openat", errno))
}

/// The names in a directory without `.` and `..`. EACCES if it cannot be searched.
pub fn children(directory: BorrowedFd<'_>, name: &[u8]) -> Result<Vec<Vec<u8>>> {
    names(Dir::read_from(directory), name)
}

/// Like [`children`] for a directory opened by a privileged process, once: reopening it may not be permitted.
pub fn children_of_opened(directory: BorrowedFd<'_>, name: &[u8]) -> Result<Vec<Vec<u8>>> {
    let listing = match Dir::read_from(directory) {
        Err(Errno::ACCESS) => rustix::io::fcntl_dupfd_cloexec(directory, 0).and_then(Dir::new),
        other => other,
    };
    names(listing, name)
}

fn names(listing: rustix::io::Result<Dir>, name: &[u8]) -> Result<Vec<Vec<u8>>> {
    let system = |errno| Error::system("getdents64", name, errno);
    let mut names = Vec::new();
    for entry in listing.map_err(system)? {
        let entry = entry.map_err(system)?;
        let child = entry.file_name().to_bytes();
        if !matches!(child, b"." | b"..") {
            names.push(child.to_vec());
        }
    }
    Ok(names)
}
