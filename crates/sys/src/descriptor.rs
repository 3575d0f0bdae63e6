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

/// Makes `descriptors` the numbers 0, 1, 2, … of this process, closes every other, and goes on with `run`, whose result
/// is the exit status. For the copy of a process: whatever owned the others never runs again. All from 3 on are
/// close-on-exec. Comes back only with an error.
///
/// SECURITY: CVE-2024-21626: nothing that the original has open is there in the copy.
pub fn go_on_with(descriptors: &[OwnedFd], run: impl FnOnce() -> i32) -> Error {
    match renumber(descriptors) {
        Ok(()) => crate::process::exit(run()),
        Err(error) => error,
    }
}

fn renumber(descriptors: &[OwnedFd]) -> Result<()> {
    let count = descriptors.len() as RawFd;
    let parked = descriptors
        .iter()
        .map(|descriptor| crate::process::duplicate_above(descriptor.as_fd(), count))
        .collect::<Result<Vec<_>>>()?;
    for (parked, number) in parked.iter().zip(0..) {
        let flags = if number < 3 { 0 } else { libc::O_CLOEXEC };
        // SAFETY: no pointers; what had the number is closed, and its owner never runs again.
        if unsafe { libc::dup3(parked.as_raw_fd(), number, flags) } < 0 {
            return Err(Error::last("dup3", format!("{}, {number}", parked.as_raw_fd())));
        }
    }
    std::mem::forget(parked); // closed with all others
    close_from(count)
}

/// `close_range(first, ~0, 0)`; Linux 5.9, one by one on older kernels.
fn close_from(first: RawFd) -> Result<()> {
    // SAFETY: no pointers; the owners of these descriptors never run again.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
    if result == 0 {
        return Ok(());
    }
    for entry in std::fs::read_dir("/proc/self/fd")
        .map_err(|error| Error::from_io("open", "/proc/self/fd", &error))?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<RawFd>().ok())
        .collect::<Vec<_>>()
    {
        if entry >= first {
            // SAFETY: as above; the one of the directory that was read is closed already, which is EBADF.
            unsafe { libc::close(entry) };
        }
    }
    Ok(())
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
