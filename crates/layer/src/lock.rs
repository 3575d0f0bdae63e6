//! Locks of directories that several processes share.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use caisson_sys::lock::{self, Mode};
use rustix::io::Errno;

use crate::blob::io_error;
use crate::{Error, Result, Stop};

/// Waits for the lock of the directory at `path`, held until the file is closed.
pub fn directory(path: &Path, exclusive: bool, stop: &Stop) -> Result<File> {
    let file = File::open(path).map_err(|error| io_error("open", path, &error))?;
    let mode = if exclusive { Mode::Exclusive } else { Mode::Shared };
    wait(&file, mode, path, stop).map(|()| file)
}

/// Waits for the lock of an open file or directory.
pub(crate) fn wait(fd: impl AsFd, mode: Mode, path: &Path, stop: &Stop) -> Result<()> {
    let taken = lock::wait(fd, mode, || stop.check().map(|()| true).map_err(Refused::Stopped));
    taken.map(drop).map_err(|refused| refused.on(path.as_os_str().as_encoded_bytes()))
}

/// Why a wait for a lock ended without it.
pub(crate) enum Refused {
    Stopped(Error),
    Failed(caisson_sys::Error),
}

impl From<caisson_sys::Error> for Refused {
    fn from(error: caisson_sys::Error) -> Self {
        Self::Failed(error)
    }
}

impl Refused {
    pub fn on(self, path: &[u8]) -> Error {
        match self {
            Self::Stopped(error) => error,
            Self::Failed(error) => Error::system("flock", path, Errno::from_raw_os_error(error.errno())),
        }
    }
}
