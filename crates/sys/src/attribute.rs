//! Attributes of a file behind an O_PATH descriptor, which the calls on descriptors refuse: by its name in procfs,
//! which leads to just that file.

use std::os::fd::BorrowedFd;

use rustix::fs::{Mode, XattrFlags};
use rustix::io::Errno;

use crate::descriptor::{describe, proc_path};
use crate::{Error, Result};

/// XATTR_LIST_MAX and XATTR_SIZE_MAX are both this.
const VALUE_MAX: usize = 64 << 10;

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

/// getxattr(2).
pub fn get(fd: BorrowedFd<'_>, name: &[u8]) -> Result<Vec<u8>> {
    let mut value = vec![0; VALUE_MAX];
    let length = rustix::fs::getxattr(proc_path(fd), name, &mut value[..]).map_err(|e| {
        let name = String::from_utf8_lossy(name);
        Error::new("getxattr", format!("{}, {name:?}", describe(fd)), e.raw_os_error())
    })?;
    value.truncate(length);
    Ok(value)
}

/// listxattr(2). Nothing where the file system has none.
pub fn list(fd: BorrowedFd<'_>) -> Result<Vec<String>> {
    let mut names = vec![0; VALUE_MAX];
    let length = match rustix::fs::listxattr(proc_path(fd), &mut names[..]) {
        Err(Errno::OPNOTSUPP) => 0,
        other => other.map_err(|e| Error::new("listxattr", describe(fd), e.raw_os_error()))?,
    };
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}
