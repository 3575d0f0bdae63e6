//! The owner of a container's cgroup of version 2: config-linux.md, "Cgroup ownership", and cgroups(7), "Delegation".

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::{Error, Result, files};

/// Gives the directory, and those of its files that the kernel has for delegation, to a user of the host.
///
/// SECURITY: no other file, or the container could change its own limits.
pub(crate) fn change(directory: &Path, owner: u32) -> Result<()> {
    let failed = |name: &str, errno: Errno| {
        Error::io("cannot change the owner of", &directory.join(name), &errno.into())
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let cgroup: OwnedFd =
        rustix::fs::open(directory, flags, Mode::empty()).map_err(|errno| failed("", errno))?;
    let change = |name: &str, flags: AtFlags| {
        rustix::fs::chownat(&cgroup, name, Some(Uid::from_raw(owner)), None, flags)
    };
    change("", AtFlags::EMPTY_PATH).map_err(|errno| failed("", errno))?;
    for name in delegated() {
        match change(&name, AtFlags::SYMLINK_NOFOLLOW) {
            // Files of controllers that are not enabled here.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(&name, errno)),
        }
    }
    Ok(())
}

/// The kernel's list (Linux 4.15), or the specification's in its place.
fn delegated() -> Vec<String> {
    let list = files::read(Path::new("/sys/kernel/cgroup"), "delegate")
        .unwrap_or_else(|_| "cgroup.procs\ncgroup.subtree_control\ncgroup.threads".into());
    list.split_ascii_whitespace().map(str::to_owned).collect()
}
