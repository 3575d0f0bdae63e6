//! `copy-symlink`: a link that is the source of a bind mount is made again inside, as engines ask for
//! volumes that are links.

use std::os::fd::AsFd;

use caisson_code::Code;
use caisson_plan::Mount;
use caisson_sys::file::{self, Kind};
use caisson_sys::{errno, resolve};

use super::Setup;
use crate::failure::{Result, SetupError};

/// Makes the link; `false`: the source is not a link, and is to be mounted.
///
/// SECURITY: the link is read through the descriptor that was looked at, and made by name below a directory that was
/// resolved in the root: neither is ever followed.
pub fn copy(setup: &Setup<'_>, mount: &Mount) -> Result<bool> {
    let source = setup.host.sources.open(&mount.source, false)?;
    if file::status(source.as_fd())?.kind != Kind::Symlink {
        return Ok(false);
    }
    let target = file::read_link(source.as_fd(), "")?;
    let (parent, name) = resolve::make_parent(setup.root()?, &mount.inside)?;
    match file::make_symlink(&target, parent.as_fd(), name) {
        Err(error) if error.errno() == errno::EEXIST => {}
        other => return other.map(|()| true).map_err(Into::into),
    }
    // COMPAT(crun): the same link may be there already.
    match file::read_link(parent.as_fd(), name) {
        Ok(found) if found == target => Ok(true),
        _ => {
            let reason = format!("another file has the path of the link to {target:?} already");
            Err(SetupError::refused(Code::Syscall, reason).on(&mount.inside))
        }
    }
}
