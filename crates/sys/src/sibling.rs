//! Copies of a small process with one thread, as children of its own parent: `clone3(CLONE_PARENT)`.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use caisson_flags::Namespaces;

use crate::call::check;
use crate::{Error, Result, namespace};

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Who comes back from [`clone_sibling`].
#[derive(Debug)]
pub enum Clone {
    /// The caller; the new process with its pid as the caller sees it.
    Caller { pid: i32, pidfd: OwnedFd },
    /// The new process: a copy with the same parent as the caller. `in_cgroup` is false where the kernel (or a sandbox
    /// around us) has no clone3, so that the copy is not in `cgroup` yet.
    Sibling { in_cgroup: bool },
}

/// `clone3(CLONE_PARENT | CLONE_PIDFD | namespaces)`: a copy of this process that is a child of *our* parent, in new
/// namespaces, in the pid namespace that was joined before, and born in `cgroup` (version 2).
///
/// EINVAL from pid 1 of a pid namespace, and in a process with threads. ENOSPC: a limit on namespaces
/// (`user.max_*_namespaces`). EPERM: namespaces are denied. EAGAIN: a limit on processes.
pub fn clone_sibling(namespaces: Namespaces, cgroup: Option<BorrowedFd<'_>>) -> Result<Clone> {
    // Unsharing what a single thread does not share changes nothing, and fails in a process with threads: there a
    // copy would have locks that are never opened again.
    namespace::unshare_flags(libc::CLONE_VM as u64)?;
    let mut pidfd: RawFd = -1;
    let common = namespaces.bits() | (libc::CLONE_PARENT | libc::CLONE_PIDFD) as u64;
    // SAFETY: all-zero is a valid struct clone_args: nothing asked for. (With CLONE_PARENT the exit signal is inherited
    // and must be 0 here.)
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = common | if cgroup.is_some() { CLONE_INTO_CGROUP } else { 0 };
    arguments.pidfd = &raw mut pidfd as u64;
    arguments.cgroup = cgroup.map_or(0, |fd| fd.as_raw_fd() as u64);
    // SAFETY: without CLONE_VM and with no stack given this is fork: the copy returns here on its own copy of the
    // stack. There is one thread, so no lock is held elsewhere.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>()) };
    let text = || format!("{{flags={:#x}, exit_signal=0}}", arguments.flags);
    let (pid, in_cgroup) = match check(pid, "clone3", text) {
        Err(error) if error.errno() == libc::ENOSYS => (fork_by_clone(common, &mut pidfd)?, false),
        other => (other?, cgroup.is_some()),
    };
    match pid {
        0 => Ok(Clone::Sibling { in_cgroup }),
        // SAFETY: the kernel has just put a new descriptor there.
        pid => Ok(Clone::Caller { pid: pid as i32, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }),
    }
}

/// A copy of this process as its own child, in these new namespaces: its pid and pidfd. `None` in the copy.
///
/// EINVAL in a process with threads. EAGAIN: a limit on processes. ENOSPC: a limit on namespaces.
pub fn clone_child(namespaces: Namespaces) -> Result<Option<(i32, OwnedFd)>> {
    namespace::unshare_flags(libc::CLONE_VM as u64)?; // as above
    let mut pidfd: RawFd = -1;
    let flags = namespaces.bits() | libc::CLONE_PIDFD as u64 | libc::SIGCHLD as u64;
    match fork_by_clone(flags, &mut pidfd)? {
        0 => Ok(None),
        // SAFETY: the kernel has just put a new descriptor there.
        pid => Ok(Some((pid as i32, unsafe { OwnedFd::from_raw_fd(pidfd) }))),
    }
}

/// clone(2), which takes the same flags but for the cgroup.
fn fork_by_clone(flags: u64, pidfd: &mut RawFd) -> Result<i64> {
    let none = 0usize;
    // SAFETY: as above. CLONE_PIDFD stores the descriptor where `parent_tid` points; of the arguments after it, which
    // architectures order differently, none is looked at.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, none, std::ptr::from_mut(pidfd), none, none) };
    if pid < 0 { Err(Error::last("clone", format!("{flags:#x}"))) } else { Ok(pid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_is_not_copied() {
        let error =
            std::thread::spawn(|| clone_sibling(Namespaces::empty(), None).unwrap_err()).join().unwrap();
        assert_eq!((error.call(), error.errno()), ("unshare", libc::EINVAL));
    }
}
