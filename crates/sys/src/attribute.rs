//! Attributes of a file behind an O_PATH descriptor, which the calls on descriptors refuse: by its name in procfs, which leads
//! to just that file.

use std::os::fd::BorrowedFd;

use rustix::fs::{Mode, XattrFlags};

use crate::descriptor::{describe, proc_path};
use crate::{Error, Result};

/// chmod(2). The file must not be a symbolic link.
pub fn change_mode(fd: BorrowedFd<'_>, mode: u32) -> Result<()> {
    rustix::fs::chmod(proc_path(fd), Mode::from_raw_mode(mode))
        .map_err(|e| Error::new("chmod", format!("{}, {mode:#o}", describe(fd)), e.raw_os_error()))
}

/// setxattr(2).
pub fn set(fd: BorrowedFd<'_>, name: &str, value: &[u8]) -> Result<()> {
    rustix::fs::setxattr(proc_path(fd), name, value, XattrFlags::empty())
        .map_err(|e| Error::new("setxattr", format!("{}, {name:?}", describe(fd)), e.raw_os_error()))
}
