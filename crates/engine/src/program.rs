//! The helper's program: one sealed memory file per engine, recreated if a container has made it unusable.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use caisson_sys::{Error, Result, memfd};

#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    file: Mutex<Option<Arc<OwnedFd>>>,
}

impl Program {
    /// Reads nothing before the first use.
    pub fn new(path: PathBuf) -> Self {
        Self { path, file: Mutex::new(None) }
    }

    /// Calls `start` with the program. After `EACCES` or `ETXTBSY` (design D2: a container changed the file's mode, or
    /// opened it for writing while no process executed it) it tries once more with a new copy.
    pub fn start<T>(&self, start: impl Fn(BorrowedFd<'_>) -> Result<T>) -> Result<T> {
        let spoilt =
            [rustix::io::Errno::ACCESS, rustix::io::Errno::TXTBSY].map(rustix::io::Errno::raw_os_error);
        match start(self.file(false)?.as_fd()) {
            Err(error) if error.call() == "execveat" && spoilt.contains(&error.errno()) => {
                start(self.file(true)?.as_fd())
            }
            other => other,
        }
    }

    fn file(&self, afresh: bool) -> Result<Arc<OwnedFd>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(existing) = file.as_ref().filter(|_| !afresh) {
            return Ok(Arc::clone(existing));
        }
        let bytes =
            fs::read(&self.path).map_err(|e| Error::from_io("open", self.path.display().to_string(), &e))?;
        let fresh = Arc::new(memfd::executable("caisson-init", &bytes)?);
        *file = Some(Arc::clone(&fresh));
        Ok(fresh)
    }
}
