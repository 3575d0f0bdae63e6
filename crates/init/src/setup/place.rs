//! Puts mounts where they belong and changes them: by `open_tree`, `fsopen`, `move_mount` and `mount_setattr`; where
//! the kernel is older (5.12 for the last) or a sandbox hides them, by `mount(2)` on names of descriptors in our own
//! procfs.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caisson_code::Code;
use caisson_flags::{MountAttributes, MountFlags};
use caisson_sys::file::{self, CWD, O_NOFOLLOW, O_PATH};
use caisson_sys::mount::{self, Change};
use caisson_sys::{Error, errno, resolve};

use super::filesystem::Filesystem;
use super::{Setup, label};
use crate::failure::{Result, SetupError};

/// A mount point: the descriptor to mount on, and the path by which the classic way finds the finished mount again.
#[derive(Debug, Clone, Copy)]
pub struct MountTarget<'a> {
    pub fd: BorrowedFd<'a>,
    pub path: Path<'a>,
}

#[derive(Debug, Clone, Copy)]
pub enum Path<'a> {
    Host(&'a str),
    Inside(&'a str),
    /// A link in the last component is meant itself.
    InsideNoFollow(&'a str),
}

/// Binds what `source` refers to. Returns the root of the new mount.
pub fn bind(
    setup: &Setup<'_>,
    source: BorrowedFd<'_>,
    target: MountTarget<'_>,
    recursive: bool,
) -> Result<OwnedFd> {
    match mount::clone_tree(source, "", recursive) {
        Err(error) if setup.must_be_classic(&error) => {}
        tree => return put(tree?, target.fd),
    }
    let flags = MountFlags::BIND | if recursive { MountFlags::REC } else { MountFlags::empty() };
    setup
        .host
        .procfs
        .with_names(&[source, target.fd], |names| mount::mount(&names[0], &names[1], "", flags, ""))??;
    let mounted = find(setup, target)?;
    let (ours, theirs) = (file::status(mounted.as_fd())?, file::status(source)?);
    if (ours.device, ours.inode) == (theirs.device, theirs.inode) { Ok(mounted) } else { Err(swapped()) }
}

/// Makes and mounts a file system. Returns the root of the new mount.
pub fn filesystem(
    setup: &Setup<'_>,
    filesystem: &Filesystem<'_>,
    target: MountTarget<'_>,
) -> Result<OwnedFd> {
    let context = setup.context_of(filesystem.fstype);
    let filesystem = &Filesystem { context, ..filesystem.clone() };
    if filesystem.fits_fsconfig() {
        match filesystem.create() {
            Err(problem) if problem.errno() == errno::ENOSYS => setup.classic.set(true),
            tree => return put(tree?, target.fd),
        }
    }
    let Filesystem { fstype, source, flags, .. } = *filesystem;
    let (names, data) = ([target.fd], filesystem.classic_data());
    setup.host.procfs.with_names(&names, |names| mount::mount(source, &names[0], fstype, flags, &data))??;
    let mounted = find(setup, target)?;
    let differs = file::status(mounted.as_fd())?.device != file::status(target.fd)?.device;
    if differs { Ok(mounted) } else { Err(swapped()) }
}

/// Attaches a detached tree. Returns its root.
pub fn put(tree: OwnedFd, target: BorrowedFd<'_>) -> Result<OwnedFd> {
    mount::attach(tree.as_fd(), target)?;
    Ok(tree)
}

fn find(setup: &Setup<'_>, target: MountTarget<'_>) -> Result<OwnedFd> {
    Ok(match target.path {
        Path::Host(path) => file::open_at(CWD, path, O_PATH | O_NOFOLLOW, 0)?,
        Path::Inside(path) => resolve::open_in_root(setup.root()?, path, O_PATH)?,
        Path::InsideNoFollow(path) => resolve::open_in_root(setup.root()?, path, O_PATH | O_NOFOLLOW)?,
    })
}

/// SECURITY: CVE-2021-30465: between mounting and looking again another process may have swapped the path.
fn swapped() -> SetupError {
    SetupError::unsafe_path("the mount point was swapped while it was mounted on")
}

/// Applies a change to the mount that `mounted` is the root of.
pub fn change(setup: &Setup<'_>, mounted: BorrowedFd<'_>, change: Change) -> Result<()> {
    match mount::change(mounted, change) {
        Err(error) if setup.must_be_classic(&error) => change_classic(setup, mounted, change),
        other => Ok(other?),
    }
}

fn change_classic(setup: &Setup<'_>, mounted: BorrowedFd<'_>, change: Change) -> Result<()> {
    let recursive = if change.recursive { MountFlags::REC } else { MountFlags::empty() };
    let flags = if !change.propagation.is_empty() {
        change.propagation | recursive
    } else if change.recursive {
        let reason = "attributes of a whole tree of mounts (rro and its like) need Linux 5.12";
        return Err(SetupError::refused(Code::KernelTooOld, reason));
    } else {
        let attributes = mount::flags_of(mounted)?.attributes() & !change.clear | change.set;
        MountFlags::REMOUNT | MountFlags::BIND | attributes.flags()
    };
    Ok(setup.host.procfs.with_names(&[mounted], |names| mount::mount("", &names[0], "", flags, ""))??)
}

/// Sets the read-only flag and keeps the others.
pub fn make_readonly(setup: &Setup<'_>, mounted: BorrowedFd<'_>) -> Result<()> {
    change(setup, mounted, Change { set: MountAttributes::RDONLY, ..Change::default() })
}

/// `flags` is one of MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE, with MS_REC for the whole tree.
pub fn propagate(setup: &Setup<'_>, mounted: BorrowedFd<'_>, flags: MountFlags) -> Result<()> {
    let (propagation, recursive) = (flags & !MountFlags::REC, flags.contains(MountFlags::REC));
    change(setup, mounted, Change { propagation, recursive, ..Change::default() })
}

/// Gives a bind mount the flags its options ask for: exactly these, as a remount would set them.
///
/// In a user namespace flags of the source may be locked. Then those stay that no option clears; a locked flag
/// that the options do clear (`suid`, `dev`, …) is an error, but for `rw`.
pub fn set_flags(
    setup: &Setup<'_>,
    mounted: BorrowedFd<'_>,
    flags: MountFlags,
    cleared: MountFlags,
) -> Result<()> {
    let (flags, cleared) = (flags & MountFlags::PER_MOUNT, cleared & MountFlags::PER_MOUNT);
    if (flags | cleared).is_empty() {
        return Ok(()); // nothing asked for: the bind keeps what its source has
    }
    match change(setup, mounted, exactly(flags, cleared)) {
        Err(problem) if problem.errno() == errno::EPERM => {}
        other => return other,
    }
    match change(setup, mounted, keeping(flags, cleared)) {
        // COMPAT(runc, crun): engines ask for `rw` on every volume; a source that is locked read-only stays so.
        Err(problem) if problem.errno() == errno::EPERM && cleared.contains(MountFlags::RDONLY) => {}
        other => return other.map_err(|problem| locked(problem, cleared)),
    }
    change(setup, mounted, keeping(flags, cleared & !MountFlags::RDONLY))
        .map_err(|problem| locked(problem, cleared))
}

fn locked(problem: SetupError, cleared: MountFlags) -> SetupError {
    if problem.errno() != errno::EPERM || cleared.is_empty() {
        return problem;
    }
    problem.hint(
        "the source is mounted with a flag that this user namespace may not clear: leave out the option (suid, dev, \
         exec, atime, …) that asks for it",
    )
}

/// Sets these flags and clears all others. As with a remount, how access times are kept changes only where some option
/// speaks of it, and then as a whole.
fn exactly(flags: MountFlags, cleared: MountFlags) -> Change {
    let times = if speaks_of_times(flags, cleared) { MountFlags::NODIRATIME } else { MountFlags::empty() };
    let others = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | times;
    keeping(flags, cleared | others)
}

/// Sets these flags and clears only those that are asked to be cleared.
fn keeping(flags: MountFlags, cleared: MountFlags) -> Change {
    let set = flags.attributes();
    let times =
        if speaks_of_times(flags, cleared) { MountAttributes::ATIME } else { MountAttributes::empty() };
    Change { set, clear: cleared.attributes() & !MountAttributes::ATIME & !set | times, ..Change::default() }
}

fn speaks_of_times(flags: MountFlags, cleared: MountFlags) -> bool {
    (flags | cleared).intersects(MountFlags::ACCESS_TIME | MountFlags::NODIRATIME)
}

impl Setup<'_> {
    /// The SELinux context that a new file system of this type is mounted with.
    pub fn context_of(&self, fstype: &str) -> Option<&str> {
        self.mount_label.as_deref().filter(|_| label::takes_context(fstype))
    }

    /// Whether a call is missing, and with it the newer ways; remembered for the time when no procfs can be opened.
    fn must_be_classic(&self, error: &Error) -> bool {
        let missing = error.errno() == errno::ENOSYS;
        if missing {
            self.classic.set(true);
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_only_bind_clears_the_other_flags_and_leaves_access_times_alone() {
        let change = exactly(MountFlags::RDONLY, MountFlags::empty());
        assert_eq!(change.set, MountAttributes::RDONLY);
        assert_eq!(change.clear, MountAttributes::NOSUID | MountAttributes::NODEV | MountAttributes::NOEXEC);
    }

    #[test]
    fn an_access_time_option_replaces_them_as_a_whole() {
        let change = exactly(MountFlags::NOATIME, MountFlags::empty());
        assert_eq!(change.set, MountAttributes::NOATIME);
        assert_eq!(change.clear & MountAttributes::ATIME, MountAttributes::ATIME);
        assert_eq!(change.clear & MountAttributes::NODIRATIME, MountAttributes::NODIRATIME);
        assert_eq!(
            exactly(MountFlags::empty(), MountFlags::NOATIME).clear & MountAttributes::ATIME,
            MountAttributes::ATIME
        );
    }

    #[test]
    fn with_locked_flags_only_the_asked_ones_are_cleared() {
        let change = keeping(MountFlags::RDONLY, MountFlags::NOEXEC);
        assert_eq!((change.set, change.clear), (MountAttributes::RDONLY, MountAttributes::NOEXEC));
    }
}
