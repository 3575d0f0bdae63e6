//! The one door to the kernel: the only crate with `unsafe`, one file per family of system calls. Descriptors are
//! `OwnedFd`/`BorrowedFd`; a failing call is reported as strace would print it ([`Error`]).

mod call;
mod error;

// owned by the helper executor
pub mod attribute;
pub mod capability;
pub mod copy;
pub mod credentials;
pub mod device;
pub mod entry;
pub mod file;
pub mod keyring;
pub mod link;
pub mod memory_policy;
pub mod mount;
pub mod mountinfo;
pub mod namespace;
pub mod netlink;
pub mod network;
pub mod process;
pub mod resolve;
pub mod scheduling;
pub mod seccomp;
pub mod sibling;
pub mod signal;
pub mod terminal;

// owned by the binding
pub mod console;
pub mod descriptor;
pub mod lock;
pub mod memfd;
pub mod pidfd;
pub mod poll;
pub mod socket;
pub mod spawn;

// owned by the digest crate
pub mod sha256;

// owned by the cgroup crate
pub mod bpf;

pub use error::{Error, Result, errno_name};

/// The errno numbers that callers tell apart.
pub mod errno {
    pub use libc::{
        E2BIG, EACCES, EAGAIN, EBUSY, EEXIST, EINVAL, EISDIR, ELIBBAD, ELOOP, EMFILE, ENAMETOOLONG, ENODEV,
        ENOENT, ENOEXEC, ENOSPC, ENOSYS, ENOTDIR, ENOTEMPTY, EOPNOTSUPP, EPERM, EPIPE, EROFS, ESRCH, ETXTBSY,
        EXDEV,
    };
}
