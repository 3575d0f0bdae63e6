//! Namespaces: `setns(2)` and `unshare(2)`.

use std::os::fd::{AsRawFd, BorrowedFd};

use caisson_flags::Namespaces;

use crate::Result;
use crate::call::{check, describe};

/// `CLONE_NEW*` of a namespace descriptor, by the NS_GET_NSTYPE request of ioctl_ns(2).
///
/// ENOTTY: not a namespace at all.
pub fn kind_of(fd: BorrowedFd<'_>) -> Result<Namespaces> {
    // SAFETY: the request takes no argument.
    let kind = unsafe { libc::ioctl(fd.as_raw_fd(), libc::NS_GET_NSTYPE) };
    check(kind.into(), "ioctl", || format!("{}, NS_GET_NSTYPE", describe(fd)))
        .map(|kind| Namespaces::from_bits(kind as u64))
}

/// `setns(2)`.
pub fn join(fd: BorrowedFd<'_>, kind: Namespaces) -> Result<()> {
    // SAFETY: no pointers.
    let result = unsafe { libc::setns(fd.as_raw_fd(), kind.bits() as libc::c_int) };
    check(result.into(), "setns", || format!("{}, {:#x}", describe(fd), kind.bits())).map(drop)
}

/// `unshare(2)`.
pub fn unshare(namespaces: Namespaces) -> Result<()> {
    unshare_flags(namespaces.bits())
}

pub(crate) fn unshare_flags(flags: u64) -> Result<()> {
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
        assert_eq!(kind_of(fd.as_fd()).unwrap(), Namespaces::NETWORK);
    }

    #[test]
    fn another_file_is_no_namespace() {
        let fd = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(kind_of(fd.as_fd()).unwrap_err().errno(), libc::ENOTTY);
    }
}
