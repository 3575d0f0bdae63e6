//! Descriptors: duplication, pipes, the null device, and the path of a descriptor.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;

use crate::call::check;
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

/// Duplicates a descriptor by number that this crate does not own (a descriptor of Node's), close-on-exec, never
/// below 3. `EBADF` when no such descriptor is open.
pub fn duplicate(number: RawFd) -> Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes any number and answers EBADF for one that is not open; nothing is borrowed.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(Error::last("fcntl", format!("{number}, F_DUPFD_CLOEXEC, 3")));
    }
    // SAFETY: `copy` was just made by the kernel and has no other owner.
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
    match arrange(descriptors) {
        Ok(()) => crate::process::exit(run()),
        Err(error) => error,
    }
}

fn arrange(descriptors: &[OwnedFd]) -> Result<()> {
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
    close_range(count, RawFd::MAX)
}

/// Closes every descriptor from 3 on but those in `keep`. No other one may have an owner any more.
///
/// SECURITY: close-on-exec comes too late for what the kernel looks up itself at execve: the program, its interpreter
/// and the loader may be links to `/proc/self/fd/N/…`.
pub fn close_all_but(keep: &[RawFd]) -> Result<()> {
    let mut keep: Vec<_> = keep.iter().copied().filter(|number| *number >= 3).collect();
    keep.sort_unstable();
    let mut first = 3;
    for number in keep {
        if number > first {
            close_range(first, number - 1)?;
        }
        first = number + 1;
    }
    close_range(first, RawFd::MAX)
}

/// `close_range(first, last, 0)`; Linux 5.9, one by one on older kernels.
fn close_range(first: RawFd, last: RawFd) -> Result<()> {
    /// The lowest free number is taken by every new descriptor, so none of a process with one thread is higher.
    const HIGHEST: RawFd = 1 << 16;
    // SAFETY: no pointers; the caller promises that these descriptors have no owner.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    match check(result, "close_range", || format!("{first}, {last}, 0")) {
        Err(error) if error.errno() == libc::ENOSYS => {
            for number in first..=last.min(HIGHEST) {
                // SAFETY: as above; a number that is not open is EBADF and nothing happens.
                unsafe { libc::close(number) };
            }
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Makes `from` also descriptor number `to`, close-on-exec; what had the number is closed. `dup3(2)`.
pub fn renumber(from: BorrowedFd<'_>, to: RawFd) -> Result<()> {
    // SAFETY: no pointers; the caller knows that `to` has no owner.
    let result = unsafe { libc::dup3(from.as_raw_fd(), to, libc::O_CLOEXEC) };
    check(result.into(), "dup3", || format!("{}, {to}, O_CLOEXEC", from.as_raw_fd())).map(drop)
}

/// Keeps descriptor `number` open across exec. EBADF: it is not open.
pub fn keep_on_exec(number: RawFd) -> Result<()> {
    // SAFETY: no pointers; a number that is not open is EBADF.
    let result = unsafe { libc::fcntl(number, libc::F_SETFD, 0) };
    check(result.into(), "fcntl", || format!("{number}, F_SETFD, 0")).map(drop)
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
