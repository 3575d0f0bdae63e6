//! Device nodes and fifos: `mknodat(2)`.

use std::os::fd::BorrowedFd;

use rustix::fs::{Dev, Mode, makedev};

use crate::Result;
use crate::call::{OrError, describe};
use crate::file::Kind;

/// Makes a node called `name` in `dir` with exactly these permission bits (the umask must be 0). `kind` is
/// `CharacterDevice`, `BlockDevice` or `Fifo` (then the numbers are ignored).
///
/// EPERM: no CAP_MKNOD in the initial user namespace. EEXIST: something has the name, links included.
pub fn make_node(
    dir: BorrowedFd<'_>,
    name: &str,
    kind: Kind,
    permissions: u32,
    (major, minor): (u32, u32),
) -> Result<()> {
    let device: Dev = if kind == Kind::Fifo { 0 } else { makedev(major, minor) };
    rustix::fs::mknodat(dir, name, kind, Mode::from_raw_mode(permissions), device)
        .or_error("mknodat", || {
            format!("{}, {name:?}, {kind:?}|{permissions:#o}, makedev({major}, {minor})", describe(dir))
        })
        .map_err(|error| error.on(name))
}
