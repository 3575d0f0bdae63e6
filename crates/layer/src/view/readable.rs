//! Opening what an image made unreadable: root may read everything, an ordinary user has to give himself the right for
//! the moment, as modes like 0000 are common in images.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::{Error, Result};

const RESOLVE: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// A directory whose mode was changed, until it is dropped.
pub struct Unlocked {
    handle: OwnedFd,
    mode: Mode,
}

impl Drop for Unlocked {
    fn drop(&mut self) {
        let _ = rustix::fs::chmod(path_of(self.handle.as_fd()), self.mode); // removed meanwhile: nothing to restore
    }
}

fn path_of(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

fn ordinary_user() -> bool {
    !rustix::process::geteuid().is_root()
}

/// Opens the directory `name` in `parent` for reading, and where needed unlocks it. No link is followed.
pub fn open_directory(
    parent: BorrowedFd<'_>,
    name: &[u8],
    shown: &[u8],
) -> Result<(OwnedFd, Option<Unlocked>)> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let system = |call, errno| Error::system(call, shown, errno);
    let open = || rustix::fs::openat(parent, name, flags | OFlags::RDONLY, Mode::empty());
    let refused = match open() {
        // It can be listed; whether its entries can be looked at is another right.
        Ok(directory) if !ordinary_user() || searchable(directory.as_fd()) => return Ok((directory, None)),
        Ok(_) => Errno::ACCESS,
        Err(errno) => errno,
    };
    if refused != Errno::ACCESS || !ordinary_user() {
        return Err(system("openat", refused));
    }
    let handle = rustix::fs::openat(parent, name, flags | OFlags::PATH, Mode::empty())
        .map_err(|errno| system("openat", errno))?;
    let unlocked = unlock(handle, 0o500).map_err(|errno| system("chmod", errno))?;
    Ok((open().map_err(|errno| system("openat", errno))?, Some(unlocked)))
}

fn searchable(directory: BorrowedFd<'_>) -> bool {
    rustix::fs::accessat(directory, ".", rustix::fs::Access::EXEC_OK, rustix::fs::AtFlags::EACCESS).is_ok()
}

fn unlock(handle: OwnedFd, more: u32) -> rustix::io::Result<Unlocked> {
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&handle)?.st_mode & 0o7777);
    rustix::fs::chmod(path_of(handle.as_fd()), mode | Mode::from_raw_mode(more))?;
    Ok(Unlocked { handle, mode })
}

/// Makes the file or directory `name` readable for the moment. Links and devices have no mode that could be in the way.
pub fn unlock_file(parent: BorrowedFd<'_>, name: &[u8], shown: &[u8]) -> Result<Unlocked> {
    let system = |call, errno| Error::system(call, shown, errno);
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle =
        rustix::fs::openat(parent, name, flags, Mode::empty()).map_err(|errno| system("openat", errno))?;
    let status = rustix::fs::fstat(&handle).map_err(|errno| system("fstat", errno))?;
    if rustix::fs::FileType::from_raw_mode(status.st_mode) == rustix::fs::FileType::Symlink {
        return Err(system("lgetxattr", Errno::ACCESS)); // chmod would follow it
    }
    unlock(handle, 0o400).map_err(|errno| system("chmod", errno))
}

/// Opens the file `path` below `root` for reading. No link is followed, a FIFO does not block.
pub fn open_file(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd> {
    let system = |call, errno| Error::system(call, path, errno);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match open_beneath(root, path, flags) {
        Err(Errno::ACCESS) if ordinary_user() => {}
        other => return other.map_err(|errno| system("openat2", errno)),
    }
    let handle = open_beneath(root, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)
        .map_err(|errno| system("openat2", errno))?;
    let status = rustix::fs::fstat(&handle).map_err(|errno| system("fstat", errno))?;
    if rustix::fs::FileType::from_raw_mode(status.st_mode) != rustix::fs::FileType::RegularFile {
        return Err(system("openat2", Errno::ACCESS)); // a link here would be followed by chmod
    }
    let opened = unlock(handle, 0o400).and_then(|unlocked| {
        rustix::fs::open(path_of(unlocked.handle.as_fd()), flags.difference(OFlags::NOFOLLOW), Mode::empty())
    });
    opened.map_err(|errno| system("openat", errno))
}

fn open_beneath(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    loop {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), RESOLVE) {
            Err(Errno::AGAIN | Errno::INTR) => {} // a rename elsewhere got in the way
            other => return other,
        }
    }
}
