//! Namespaces: `setns(2)` and `unshare(2)`.

use std::os::fd::{AsRawFd, BorrowedFd};

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
}
