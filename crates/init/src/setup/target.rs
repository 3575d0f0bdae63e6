//! Mount points: found or made below the container's root, and never where a mount would deceive us or the container.

use std::os::fd::{AsFd, OwnedFd};

use caisson_code::Code;
use caisson_plan::mount_destination;
use caisson_sys::file::{
    self, DEVPTS_SUPER_MAGIC, Kind, O_DIRECTORY, O_NOFOLLOW, O_PATH, PROC_SUPER_MAGIC, SYSFS_MAGIC,
};
use caisson_sys::{errno, resolve};

use super::Setup;
use crate::failure::{Result, SetupError};

/// COMPAT(runc): the only places below `/proc` that a mount may cover (lxcfs and its like use them).
const BELOW_PROC: [&str; 10] = [
    "cpuinfo",
    "diskstats",
    "meminfo",
    "stat",
    "swaps",
    "uptime",
    "loadavg",
    "slabinfo",
    "sys/kernel/ns_last_pid",
    "sys/crypto/fips_enabled",
];

/// File systems that no mount without links may cover.
const KERNEL_FILESYSTEMS: [i64; 3] = [PROC_SUPER_MAGIC, SYSFS_MAGIC, DEVPTS_SUPER_MAGIC];

/// What is going to be mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A directory, or a file for a bind of anything else.
    Directory,
    File,
}

/// A mount point, O_PATH.
#[derive(Debug)]
pub struct Target {
    pub fd: OwnedFd,
    /// It was there before us.
    pub existed: bool,
}

/// Finds or makes the mount point `inside`. `plain`: no link may be on the way.
/// `is_proc`: what will be mounted is a procfs itself.
pub fn prepare(setup: &Setup<'_>, inside: &str, shape: Shape, plain: bool, is_proc: bool) -> Result<Target> {
    let path = clean(inside);
    if path.is_empty() {
        return Err(SetupError::refused(
            Code::InvalidSpec,
            "a mount cannot cover the root file system itself",
        )
        .on("/"));
    }
    let plain = plain || path == "proc" || path == "sys";
    let target = find(setup, inside, shape, plain)?;
    refuse_root(setup, inside, &target)?;
    guard_proc(&path, &target, is_proc)?;
    Ok(target)
}

/// SECURITY: an image with a link to `/` at a mount point. The mount would lie over the root, out of sight, and later
/// ones would change the mount that the root is in.
fn refuse_root(setup: &Setup<'_>, inside: &str, target: &Target) -> Result<()> {
    let root = setup.root()?;
    let (a, b) = (file::status(root)?, file::status(target.fd.as_fd())?);
    if (a.device, a.inode) != (b.device, b.inode)
        || file::mount_id(root)? != file::mount_id(target.fd.as_fd())?
    {
        return Ok(());
    }
    let reason = format!("{inside:?} leads to the root file system itself");
    Err(SetupError::refused(Code::UnsafePath, reason).on(inside))
}

/// The mount point `inside`, which is not made; a link in its last component is meant itself.
/// COMPAT(crun): none on a file system of the kernel's, where a link may lead to another process.
pub fn existing(setup: &Setup<'_>, inside: &str, shape: Shape, is_proc: bool) -> Result<Target> {
    let fd = resolve::open_in_root(setup.root()?, inside, O_PATH | O_NOFOLLOW)?;
    let target = Target { fd, existed: true };
    refuse_root(setup, inside, &target)?;
    guard_proc(&clean(inside), &target, is_proc)?;
    if KERNEL_FILESYSTEMS.contains(&file::filesystem(target.fd.as_fd())?) {
        let reason = format!("override of the mount destination {inside:?} is not allowed");
        return Err(SetupError::refused(Code::InvalidSpec, reason).on(inside));
    }
    if (file::status(target.fd.as_fd())?.kind == Kind::Directory) != (shape == Shape::Directory) {
        let reason = "source and mount point must both be directories, or neither";
        return Err(SetupError::refused(Code::Syscall, reason).on(inside));
    }
    Ok(target)
}

fn find(setup: &Setup<'_>, inside: &str, shape: Shape, plain: bool) -> Result<Target> {
    let root = setup.root()?;
    let flags = if shape == Shape::Directory { O_PATH | O_DIRECTORY } else { O_PATH };
    let found =
        if plain { find_plain(setup, inside, flags)? } else { resolve::find_in_root(root, inside, flags)? };
    match found {
        Some(fd) if shape == Shape::File && file::status(fd.as_fd())?.kind == Kind::Directory => {
            let reason = "the source is a file, the mount point a directory";
            Err(SetupError::refused(Code::InvalidSpec, reason).on(inside))
        }
        Some(fd) => Ok(Target { fd, existed: true }),
        None => {
            let make = if shape == Shape::Directory { resolve::make_directories } else { resolve::make_file };
            let fd = make(root, inside, 0o755).map_err(|error| error.on(inside))?;
            Ok(Target { fd, existed: false })
        }
    }
}

/// SECURITY: CVE-2023-27561, CVE-2025-54867: an image with a link at `/proc` or `/sys`.
fn find_plain(setup: &Setup<'_>, inside: &str, flags: i32) -> Result<Option<OwnedFd>> {
    match resolve::open_in_root_plain(setup.root()?, inside, flags) {
        Ok(fd) => Ok(Some(fd)),
        Err(error) if error.errno() == errno::ENOENT => Ok(None),
        Err(error) if matches!(error.errno(), errno::ELOOP | errno::ENOTDIR) => {
            let reason = format!("{inside:?} must be mounted on ordinary directory");
            Err(SetupError::from(error).code(Code::UnsafePath).message(reason).on(inside))
        }
        Err(error) => Err(error.on(inside).into()),
    }
}

/// SECURITY: CVE-2019-16884, CVE-2025-52881: only a procfs goes on `/proc`, and hardly anything below it.
fn guard_proc(path: &str, target: &Target, is_proc: bool) -> Result<()> {
    if path == "proc" {
        if is_proc {
            return Ok(());
        }
        let reason = "\"/proc\" cannot be mounted because it is not of type proc";
        return Err(SetupError::refused(Code::InvalidSpec, reason).on("/proc"));
    }
    let named_so = path.strip_prefix("proc/");
    let lies_there = file::filesystem(target.fd.as_fd())? == PROC_SUPER_MAGIC;
    if named_so.is_none() && !lies_there || named_so.is_some_and(|name| BELOW_PROC.contains(&name)) {
        return Ok(());
    }
    let reason = format!("\"/{path}\" cannot be mounted because it is inside /proc");
    Err(SetupError::refused(Code::InvalidSpec, reason).on(format!("/{path}")))
}

/// The path without leading slash, `.` and `..` as text: for comparing names only, never for opening.
pub fn clean(path: &str) -> String {
    mount_destination(path).split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_detours() {
        assert_eq!(clean("//proc/./sys/../cpuinfo/"), "proc/cpuinfo");
        assert_eq!(clean("/../.."), "");
        assert_eq!(clean("dev"), "dev");
    }
}
