//! Descriptors: duplication, pipes, the null device, and the path a descriptor stands for.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;

use crate::{Error, Result};

/// A pipe, close-on-exec: (read end, write end). [pipe2(2)](https://man7.org/linux/man-pages/man2/pipe2.2.html)
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
        .map_err(|e| Error::new("pipe2", "O_CLOEXEC", e.raw_os_error()))
}

/// `/dev/null` of the caller's own mount namespace, read-write, close-on-exec.
pub fn null() -> Result<OwnedFd> {
    rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
        .map_err(|e| Error::new("open", "\"/dev/null\", O_RDWR", e.raw_os_error()).on("/dev/null"))
}

/// Duplicates a descriptor by number that belongs to somebody else (a descriptor of Node's), close-on-exec, never below 3.
/// `EBADF` when no such descriptor is open.
pub fn duplicate(number: RawFd) -> Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes any number and answers EBADF for one that is not open; nothing is borrowed.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(Error::last("fcntl", format!("{number}, F_DUPFD_CLOEXEC, 3")));
    }
    // SAFETY: `copy` was just made by the kernel and is owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Takes over a descriptor that this process inherited under a known number (the helper's protocol descriptors).
/// `EBADF` when it is not open. Must be called once per number.
pub fn inherited(number: RawFd) -> Result<OwnedFd> {
    // SAFETY: F_SETFD takes any number and answers EBADF for one that is not open.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(Error::last("fcntl", format!("{number}, F_SETFD, FD_CLOEXEC")));
    }
    // SAFETY: the descriptor is open; the protocol gives it to this process, and the caller takes each number once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// `/proc/self/fd/N`: a name for calls that take only paths, valid as long as the descriptor.
pub fn proc_path(fd: impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

/// The path a descriptor stood for, for messages only.
pub fn describe(fd: BorrowedFd<'_>) -> String {
    std::fs::read_link(proc_path(fd))
        .map_or_else(|_| format!("descriptor {}", fd.as_raw_fd()), |p| p.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duplicate_is_close_on_exec_and_above_the_standard_streams() {
        let (read, _write) = pipe().unwrap();
        let copy = duplicate(read.as_raw_fd()).unwrap();
        assert!(copy.as_raw_fd() >= 3);
        assert!(rustix::io::fcntl_getfd(&copy).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    }

    #[test]
    fn a_number_that_is_not_open_is_an_error() {
        assert_eq!(duplicate(1_000_000).unwrap_err().errno(), libc::EBADF);
    }
}
