//! Standard input, output and error of a container without a terminal.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caisson_sys::errno::{EINVAL, EPERM};
use caisson_sys::file::{self, Kind, O_NOFOLLOW, O_PATH, O_RDWR, Status};
use caisson_sys::{process, resolve};

use crate::failure::Result;

/// Hands the streams over to the user, and replaces the host's null device by the container's own.
pub fn hand_over(root: BorrowedFd<'_>, uid: u32) -> Result<()> {
    let mut null = None;
    for number in 0..=2 {
        let stream = process::standard(number);
        let Ok(status) = file::status(stream) else { continue }; // closed by the caller's wish
        if status.is_char_device(1, 3) {
            if let Some(own) = own_null(root, &mut null)? {
                process::install(own, number)?;
            }
        } else if status.kind == Kind::Fifo && status.uid != uid {
            give(stream, uid)?;
        }
    }
    Ok(())
}

/// COMPAT(runc): a pipe belongs to the user, so that programs may open `/dev/stdout` again.
/// SECURITY: CVE-2026-88265: nothing but a pipe; a device or file of the host stays whose it is.
fn give(stream: BorrowedFd<'_>, uid: u32) -> Result<()> {
    match file::change_owner(stream, Some(uid), None) {
        // Not ours to give away: an id that is not mapped, or the pipe of another user.
        Err(error) if matches!(error.errno(), EINVAL | EPERM) => Ok(()),
        other => Ok(other?),
    }
}

/// The container's `/dev/null`, if that is the null device. The host's belongs to the host's devtmpfs, and a
/// descriptor of it would be a way to look at that.
fn own_null<'n>(root: BorrowedFd<'_>, null: &'n mut Option<OwnedFd>) -> Result<Option<BorrowedFd<'n>>> {
    if null.is_none() {
        let is_null = |status: Status| status.is_char_device(1, 3);
        let Ok(found) = resolve::open_in_root(root, "/dev/null", O_PATH | O_NOFOLLOW) else {
            return Ok(None);
        };
        if !file::status(found.as_fd()).is_ok_and(is_null) {
            return Ok(None);
        }
        // Looked at before it is opened, as opening a device may already do something; and again, as it may have
        // changed.
        let Ok(opened) = resolve::open_in_root(root, "/dev/null", O_RDWR | O_NOFOLLOW) else {
            return Ok(None);
        };
        if !file::status(opened.as_fd()).is_ok_and(is_null) {
            return Ok(None);
        }
        *null = Some(opened);
    }
    Ok(null.as_ref().map(AsFd::as_fd))
}
