//! The parent directory of all state directories.

use std::fs::DirBuilder;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};

use crate::error::{Error, Result};
use crate::id::check_id;
use crate::owned;

/// An open state root that belongs to us.
#[derive(Debug)]
pub struct StateRoot {
    fd: OwnedFd,
    path: PathBuf,
}

impl StateRoot {
    /// `None` if it does not exist, and so has no containers.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let fd = owned::open_directory(CWD, path, OFlags::PATH, "state root", path)?;
        Ok(fd.map(|fd| Self { fd, path: path.to_path_buf() }))
    }

    /// Opens it, creating it if missing.
    pub fn create(path: &Path) -> Result<Self> {
        if let Some(root) = Self::open(path)? {
            return Ok(root);
        }
        let made = DirBuilder::new().recursive(true).mode(directory_mode()).create(path);
        made.map_err(|error| {
            let errno = rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO);
            Error::system("make state root", path, errno)
                .hint("name another directory: option root or --root")
        })?;
        Self::open(path)?.ok_or_else(|| Error::system("open state root", path, rustix::io::Errno::NOENT))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of possible containers, sorted.
    pub fn ids(&self) -> Result<Vec<String>> {
        let failed = |errno| Error::system("read state root", &self.path, errno);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let listed = rustix::fs::openat(&self.fd, ".", flags, Mode::empty()).map_err(failed)?;
        let mut ids = Vec::new();
        for entry in rustix::fs::Dir::new(listed).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if check_id(name).is_ok() {
                ids.push(name.to_owned());
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }
}

impl AsFd for StateRoot {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Root's containers may have mapped ids, whose programs must be able to search these directories to reach their root.
pub(crate) fn directory_mode() -> u32 {
    if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 }
}
