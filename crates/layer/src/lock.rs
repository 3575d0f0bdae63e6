//! Locks of directories that several processes share.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use crate::blob::io_error;
use crate::{Error, Result, Stop};

const PAUSE: Duration = Duration::from_millis(2);

/// Waits for the lock of the directory at `path`, held until the file is closed. A blocking flock(2) cannot be
/// cancelled, so this polls.
pub fn directory(path: &Path, exclusive: bool, stop: &Stop) -> Result<File> {
    let file = File::open(path).map_err(|error| io_error("open", path, &error))?;
    loop {
        let taken = if exclusive {
            caisson_sys::lock::try_exclusive(&file)
        } else {
            caisson_sys::lock::try_shared(&file)
        };
        let bytes = path.as_os_str().as_encoded_bytes();
        if taken.map_err(|error| Error::system("flock", bytes, Errno::from_raw_os_error(error.errno())))? {
            return Ok(file);
        }
        stop.check()?;
        std::thread::sleep(PAUSE);
    }
}
