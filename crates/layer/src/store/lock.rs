//! flock(2) on files and directories: shared and exclusive, released by the kernel when the holder dies.

use std::os::fd::OwnedFd;
use std::path::Path;

use caisson_sys::lock;
pub use caisson_sys::lock::Mode as LockMode;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::lock::{Refused, wait};
use crate::{Error, Kind, Result, Stop};

/// Held until dropped.
#[derive(Debug)]
pub struct Lock(OwnedFd);

impl Lock {
    /// Waits for a lock on a file, created if missing. A file that was removed while waiting is not the one that others
    /// lock: then it tries again.
    pub fn file(path: &Path, mode: LockMode, stop: &Stop) -> Result<Self> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let fd = rustix::fs::openat(CWD, path, flags, Mode::from_raw_mode(0o600))
                .map_err(|errno| Error::system("open", path.as_os_str().as_encoded_bytes(), errno))?;
            wait(&fd, mode, path, stop)?;
            if is_linked(&fd)? {
                return Ok(Self(fd));
            }
        }
    }

    /// Locks a directory if no other process holds a conflicting lock. Returns `NotFound` if it does not exist.
    pub fn try_directory(path: &Path, mode: LockMode) -> Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(|errno| {
            let mut error = Error::system("open", path.as_os_str().as_encoded_bytes(), errno);
            if errno == Errno::NOENT {
                error.kind = Kind::NotFound;
            }
            error
        })?;
        Self::try_on(fd, mode)
    }

    /// Locks an open file or directory; `None` if another process holds the lock or removed the file.
    pub fn try_on(fd: OwnedFd, mode: LockMode) -> Result<Option<Self>> {
        let taken = lock::try_lock(&fd, mode).map_err(|error| Refused::from(error).on(b""))?;
        Ok((taken && is_linked(&fd)?).then_some(Self(fd)))
    }

    /// The descriptor that holds the lock.
    pub fn into_fd(self) -> OwnedFd {
        self.0
    }
}

fn is_linked(fd: &OwnedFd) -> Result<bool> {
    let status = rustix::fs::fstat(fd).map_err(|errno| Error::system("fstat", b"", errno))?;
    Ok(status.st_nlink > 0)
}
