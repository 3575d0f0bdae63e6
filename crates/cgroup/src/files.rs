//! Reads and writes the small files of a cgroup: open, one read or write, close. The kernel accepts a value as a whole
//! or not at all.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::{Error, Result};

/// An open file of a cgroup, for several values.
pub(crate) struct Writer {
    path: PathBuf,
    fd: OwnedFd,
}

impl Writer {
    #[cfg(feature = "resources")]
    pub(crate) fn open(directory: &Path, file: &str) -> Result<Self> {
        let path = directory.join(file);
        match open(&path, OFlags::WRONLY) {
            Ok(fd) => Ok(Self { path, fd }),
            Err(error) => Err(Error::io("cannot open", &path, &error.into())),
        }
    }

    pub(crate) fn write(&self, value: &str) -> Result<()> {
        rustix::io::retry_on_intr(|| rustix::io::write(&self.fd, value.as_bytes()))
            .map(drop)
            .map_err(|e| Error::io(&format!("cannot write {value:?} to"), &self.path, &e.into()))
    }
}

pub(crate) fn write(directory: &Path, file: &str, value: &str) -> Result<()> {
    let path = directory.join(file);
    match open(&path, OFlags::WRONLY) {
        Ok(fd) => Writer { path, fd }.write(value),
        Err(error) => {
            let failure = Error::io(&format!("cannot write {value:?} to"), &path, &error.into());
            Err(match error {
                Errno::NOENT if directory.exists() => {
                    failure.hint("this cgroup has no such file: its controller is not enabled or not delegated here, or the kernel is too old for this limit")
                }
                _ => failure,
            })
        }
    }
}

pub(crate) fn read(directory: &Path, file: &str) -> Result<String> {
    let path = directory.join(file);
    read_at(&path).map_err(|e| Error::io("cannot read", &path, &e.into()))
}

/// A file of the cgroup behind a descriptor.
pub(crate) fn read_in(directory: BorrowedFd<'_>, file: &str) -> rustix::io::Result<String> {
    contents(&open_in(directory, file, OFlags::RDONLY)?)
}

pub(crate) fn write_in(directory: BorrowedFd<'_>, file: &str, value: &str) -> rustix::io::Result<()> {
    let fd = open_in(directory, file, OFlags::WRONLY)?;
    rustix::io::retry_on_intr(|| rustix::io::write(&fd, value.as_bytes())).map(drop)
}

fn open_in(directory: BorrowedFd<'_>, file: &str, access: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::io::retry_on_intr(|| rustix::fs::openat(directory, file, access | OFlags::CLOEXEC, Mode::empty()))
}

fn read_at(path: &Path) -> rustix::io::Result<String> {
    contents(&open(path, OFlags::RDONLY)?)
}

fn contents(fd: &OwnedFd) -> rustix::io::Result<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0u8; 4096];
    loop {
        let count = rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut chunk))?;
        bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
        // A kernel file ends where a read is short; only cgroup.procs is long.
        if count == 0 || (count < 2048 && bytes.ends_with(b"\n")) {
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}

fn open(path: &Path, access: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::io::retry_on_intr(|| rustix::fs::open(path, access | OFlags::CLOEXEC, Mode::empty()))
}

/// The value of `key` in a file of `key value` lines; `None` if the file or key is missing.
pub(crate) fn keyed(directory: &Path, file: &str, key: &str) -> Option<u64> {
    value_of(&read(directory, file).ok()?, key)
}

pub(crate) fn value_of(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| value.trim().parse().ok()).flatten()
    })
}
