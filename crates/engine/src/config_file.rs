//! Reads the config.json of a bundle.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use caisson_code::{Code, Phase};
use caisson_state::CONFIG_LIMIT;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::failure::{Failure, Result};

/// The content of `config.json` in `bundle`, at most [`CONFIG_LIMIT`] bytes.
///
/// # Errors
/// `ERR_INVALID_BUNDLE` for a file that is missing or not a regular one, `ERR_LIMIT_EXCEEDED` for a larger one.
pub fn read(bundle: &Path) -> Result<Vec<u8>> {
    let path = bundle.join("config.json");
    let shown = path.display();
    let invalid = |message: String| invalid(message, &path);
    // SECURITY: a FIFO would hold a worker until a process writes to it, and a device may have no end.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, &path, flags, Mode::empty()).map_err(|errno| match errno {
        // COMPAT(runc): its wording for a bundle without a configuration.
        Errno::NOENT => invalid(format!("JSON specification file {shown} not found")),
        Errno::NXIO => invalid(format!("{shown} is not a regular file")),
        errno => invalid(format!("cannot read {shown}: {}", caisson_sys::errno_name(errno.raw_os_error()))),
    })?;
    let status = rustix::fs::fstat(&file)
        .map_err(|errno| Failure::io(Phase::Validate, "cannot read", &path, &errno.into()))?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        return Err(invalid(format!("{shown} is not a regular file")));
    }
    caisson_sys::file::read_all(file.as_fd(), CONFIG_LIMIT).map_err(|error| {
        if error.errno() == Errno::FBIG.raw_os_error() {
            let message = format!("{shown} has more than {CONFIG_LIMIT} bytes");
            return Failure::new(Code::LimitExceeded, Phase::Validate, message).on(shown.to_string());
        }
        invalid(format!("cannot read {shown}: {}", error.errno_name()))
    })
}

/// # Errors
/// `ERR_INVALID_BUNDLE` for a bundle that is missing or not a directory.
pub fn check_bundle(bundle: &Path) -> Result<()> {
    match fs::metadata(bundle) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(invalid(format!("the bundle {} is not a directory", bundle.display()), bundle)),
        Err(error) => {
            Err(invalid(format!("the bundle {} cannot be opened: {error}", bundle.display()), bundle))
        }
    }
}

fn invalid(message: String, path: &Path) -> Failure {
    Failure::new(Code::InvalidBundle, Phase::Validate, message).on(path.display().to_string())
}
