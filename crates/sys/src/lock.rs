//! flock(2): the lock of a state directory. Node has none.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::FlockOperation;

use crate::{Error, Result};

/// Takes the exclusive lock, waiting for it. It is held until the descriptor (and every duplicate) is closed.
pub fn exclusive(fd: OwnedFd) -> Result<OwnedFd> {
    loop {
        match rustix::fs::flock(&fd, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(fd),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Error::new("flock", "LOCK_EX", e.raw_os_error())),
        }
    }
}

/// Takes a shared lock if no process has the exclusive one; `false` otherwise.
pub fn try_shared(fd: impl AsFd) -> Result<bool> {
    match rustix::fs::flock(fd, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(e) => Err(Error::new("flock", "LOCK_SH | LOCK_NB", e.raw_os_error())),
    }
}

/// Takes the exclusive lock if it is free; `false` otherwise.
pub fn try_exclusive(fd: impl AsFd) -> Result<bool> {
    match rustix::fs::flock(fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(e) => Err(Error::new("flock", "LOCK_EX | LOCK_NB", e.raw_os_error())),
    }
}
