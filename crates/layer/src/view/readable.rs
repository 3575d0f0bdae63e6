//! Opens files that the image's mode makes unreadable. Root can read everything; an unprivileged user must change the
//! mode temporarily, as modes like 0000 are common in images. Files of other ids are opened by a process with `Rights`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caisson_rights::reads_everything;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::rights::{Opening, Rights};
use crate::openat2::openat2;
use crate::unpack::of_handle;
use crate::{Error, Result};

const RESOLVE: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// A file whose mode is changed until this is dropped.
pub struct Unlocked {
    handle: OwnedFd,
    mode: Mode,
}

impl Drop for Unlocked {
    fn drop(&mut self) {
        let _ = rustix::fs::chmod(of_handle(self.handle.as_fd()), self.mode); // the file is gone: nothing to restore
    }
}

/// A permission error caused by files of other ids, with a hint.
pub fn refused(call: &'static str, shown: &[u8], errno: Errno) -> Error {
    let error = Error::system(call, shown, errno);
    if reads_everything() || !matches!(errno, Errno::ACCESS | Errno::PERM) {
        return error;
    }
    error.hint("it belongs to another id: with uidMap and gidMap (--uid-map, --gid-map) it is read as root of a user namespace")
}

/// Opens the directory `name` in `parent` for reading, unlocked or with `rights` if needed. Links are not followed.
pub fn open_directory(
    parent: BorrowedFd<'_>,
    name: &[u8],
    shown: &[u8],
    rights: Option<&dyn Rights>,
) -> Result<(OwnedFd, Option<Unlocked>)> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(parent, name, flags | OFlags::RDONLY, Mode::empty());
    let closed = match open() {
        // It can be listed; looking up its entries needs another permission.
        Ok(directory) if reads_everything() || searchable(directory.as_fd()) => return Ok((directory, None)),
        Ok(_) => Errno::ACCESS,
        Err(errno) => errno,
    };
    if closed != Errno::ACCESS || reads_everything() {
        return Err(Error::system("openat", shown, closed));
    }
    let unlocked = rustix::fs::openat(parent, name, flags | OFlags::PATH, Mode::empty())
        .map_err(|errno| ("openat", errno))
        .and_then(|handle| unlock(handle, 0o500).map_err(|errno| ("chmod", errno)));
    match (unlocked, rights) {
        (Ok(unlocked), _) => {
            let opened = open().map_err(|errno| Error::system("openat", shown, errno))?;
            Ok((opened, Some(unlocked)))
        }
        (Err((_, Errno::ACCESS | Errno::PERM)), Some(rights)) => {
            Ok((rights.open(parent, name, Opening::Directory, shown)?, None))
        }
        (Err((call, errno)), _) => Err(refused(call, shown, errno)),
    }
}

fn searchable(directory: BorrowedFd<'_>) -> bool {
    rustix::fs::accessat(directory, ".", rustix::fs::Access::EXEC_OK, rustix::fs::AtFlags::EACCESS).is_ok()
}

fn unlock(handle: OwnedFd, more: u32) -> rustix::io::Result<Unlocked> {
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&handle)?.st_mode & 0o7777);
    rustix::fs::chmod(of_handle(handle.as_fd()), mode | Mode::from_raw_mode(more))?;
    Ok(Unlocked { handle, mode })
}

/// Makes the file or directory behind an O_PATH descriptor readable temporarily. Links and devices need no change.
pub fn unlock_file(handle: &OwnedFd, shown: &[u8]) -> Result<Unlocked> {
    let system = |call, errno| refused(call, shown, errno);
    let status = rustix::fs::fstat(handle).map_err(|errno| system("fstat", errno))?;
    if rustix::fs::FileType::from_raw_mode(status.st_mode) == rustix::fs::FileType::Symlink {
        return Err(system("lgetxattr", Errno::ACCESS)); // chmod would follow it
    }
    let handle = rustix::io::fcntl_dupfd_cloexec(handle, 0).map_err(|errno| system("fcntl", errno))?;
    unlock(handle, 0o400).map_err(|errno| system("chmod", errno))
}

/// Opens the file `path` below `root` for reading, unlocked or with `rights` if needed. Links are not followed, and a
/// FIFO does not block.
pub fn open_file(root: BorrowedFd<'_>, path: &[u8], rights: Option<&dyn Rights>) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match open_beneath(root, path, flags) {
        Err(Errno::ACCESS) if !reads_everything() => {}
        other => return other.map_err(|errno| Error::system("openat2", path, errno)),
    }
    match (open_unlocked(root, path, flags), rights) {
        (Err((_, Errno::ACCESS | Errno::PERM)), Some(rights)) => rights.open(root, path, Opening::File, path),
        (opened, _) => opened.map_err(|(call, errno)| refused(call, path, errno)),
    }
}

fn open_unlocked(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, (&'static str, Errno)> {
    let handle = open_beneath(root, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)
        .map_err(|errno| ("openat2", errno))?;
    let status = rustix::fs::fstat(&handle).map_err(|errno| ("fstat", errno))?;
    if rustix::fs::FileType::from_raw_mode(status.st_mode) != rustix::fs::FileType::RegularFile {
        return Err(("openat2", Errno::ACCESS)); // chmod would follow a link
    }
    let unlocked = unlock(handle, 0o400).map_err(|errno| ("chmod", errno))?;
    let path = of_handle(unlocked.handle.as_fd());
    rustix::fs::open(path, flags.difference(OFlags::NOFOLLOW), Mode::empty())
        .map_err(|errno| ("openat", errno))
}

fn open_beneath(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    openat2(root, path, flags, RESOLVE)
}
