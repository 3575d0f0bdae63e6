//! Namespaces: `setns(2)`, `unshare(2)`, and the second clone of a helper that has joined some.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::Result;
use crate::call::{check, describe};

pub const NEW_TIME: u64 = libc::CLONE_NEWTIME as u64;
pub const NEW_MOUNT: u64 = libc::CLONE_NEWNS as u64;
pub const NEW_CGROUP: u64 = libc::CLONE_NEWCGROUP as u64;
pub const NEW_UTS: u64 = libc::CLONE_NEWUTS as u64;
pub const NEW_IPC: u64 = libc::CLONE_NEWIPC as u64;
pub const NEW_USER: u64 = libc::CLONE_NEWUSER as u64;
pub const NEW_PID: u64 = libc::CLONE_NEWPID as u64;
pub const NEW_NETWORK: u64 = libc::CLONE_NEWNET as u64;

/// `CLONE_NEW*` of a namespace descriptor, by the NS_GET_NSTYPE request of ioctl_ns(2).
///
/// ENOTTY: not a namespace at all.
pub fn kind_of(fd: BorrowedFd<'_>) -> Result<u64> {
    // SAFETY: the request takes no argument.
    let kind = unsafe { libc::ioctl(fd.as_raw_fd(), libc::NS_GET_NSTYPE) };
    check(kind.into(), "ioctl", || format!("{}, NS_GET_NSTYPE", describe(fd))).map(|kind| kind as u64)
}

/// `setns(2)`; `kind` is its `CLONE_NEW*`.
pub fn join(fd: BorrowedFd<'_>, kind: u64) -> Result<()> {
    // SAFETY: no pointers.
    let result = unsafe { libc::setns(fd.as_raw_fd(), kind as libc::c_int) };
    check(result.into(), "setns", || format!("{}, {kind:#x}", describe(fd))).map(drop)
}

/// `unshare(2)` of `CLONE_NEW*` flags.
pub fn unshare(flags: u64) -> Result<()> {
    // SAFETY: no pointers. CLONE_NEW* flags change what names mean, not descriptors or memory.
    let result = unsafe { libc::syscall(libc::SYS_unshare, flags) };
    check(result, "unshare", || format!("{flags:#x}")).map(drop)
}

/// Who comes back from [`clone_sibling`].
#[derive(Debug)]
pub enum Clone {
    /// The caller; the new process with its pid as the caller sees it.
    Caller { pid: i32, pidfd: OwnedFd },
    /// The new process: a copy with the same parent as the caller.
    Sibling,
}

/// `clone3(CLONE_PARENT|CLONE_PIDFD|flags)`: a copy of this process that is a child of *our* parent, in new namespaces
/// and in the pid namespace that was joined before. EINVAL from pid 1 of a pid namespace, and in a process with
/// threads.
pub fn clone_sibling(flags: u64) -> Result<Clone> {
    // Unsharing what a single thread shares with nobody changes nothing, and fails in a process with threads: there a
    // copy would have locks that nobody ever opens again.
    unshare(libc::CLONE_VM as u64)?;
    let mut pidfd: RawFd = -1;
    let flags = flags | (libc::CLONE_PARENT | libc::CLONE_PIDFD) as u64;
    // SAFETY: all-zero is a valid struct clone_args: nothing asked for. (With CLONE_PARENT the exit signal is inherited
    // and must be 0 here.)
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = flags;
    arguments.pidfd = &raw mut pidfd as u64;
    // SAFETY: without CLONE_VM and with no stack given this is fork: the copy returns here on its own copy of the stack.
    // There is one thread, so no lock is held by anybody else.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>()) };
    match check(pid, "clone3", || format!("{{flags={flags:#x}, exit_signal=0}}"))? {
        0 => Ok(Clone::Sibling),
        // SAFETY: the kernel has just put a new descriptor there.
        pid => Ok(Clone::Caller { pid: pid as i32, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_namespace_file_tells_its_kind() {
        let fd = std::fs::File::open("/proc/self/ns/net").unwrap();
        assert_eq!(kind_of(fd.as_fd()).unwrap(), libc::CLONE_NEWNET as u64);
    }

    #[test]
    fn another_file_is_no_namespace() {
        let fd = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(kind_of(fd.as_fd()).unwrap_err().errno(), libc::ENOTTY);
    }

    #[test]
    fn a_process_with_threads_is_not_copied() {
        let error = std::thread::spawn(|| clone_sibling(0).unwrap_err()).join().unwrap();
        assert_eq!((error.call(), error.errno()), ("unshare", libc::EINVAL));
    }
}
