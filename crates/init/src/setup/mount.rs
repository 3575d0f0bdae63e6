//! Mounts of config.json but cgroup.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caisson_code::Code;
use caisson_flags::{MountAttributes, MountFlags};
use caisson_plan::Mount;
use caisson_sys::errno::{EINVAL, EPERM};
use caisson_sys::file::{self, Kind, O_PATH, PROC_SUPER_MAGIC};
use caisson_sys::mount::Change;
use caisson_sys::{attribute, process, resolve};

use super::filesystem::Filesystem;
use super::place::{self, MountTarget, Path};
use super::target::{self, Shape, Target};
use super::{Setup, copyup, link};
use crate::failure::{Result, SetupError};

pub fn mount(setup: &Setup<'_>, mount: &Mount) -> Result<()> {
    if mount.copy_symlink && link::copy(setup, mount)? {
        return Ok(()); // nothing is mounted that could have flags
    }
    if mount.flags.contains(MountFlags::REMOUNT) {
        return remount(setup, mount);
    }
    let mounted = match mount.bind {
        Some(recursive) => mount_bind(setup, mount, recursive)?,
        None => mount_new(setup, mount)?,
    };
    if !(mount.recursive_set | mount.recursive_clear).is_empty() {
        place::change(setup, mounted.as_fd(), recursively(mount))?;
    }
    for flags in &mount.propagation {
        place::propagate(setup, mounted.as_fd(), *flags)?;
    }
    Ok(())
}

/// Changes what is mounted already: flags of a bind, flags and data of a file system.
fn remount(setup: &Setup<'_>, mount: &Mount) -> Result<()> {
    let mounted = resolve::open_in_root(setup.root()?, &mount.inside, O_PATH)?;
    // SECURITY: a link of the image may lead to the root or to a bind, whose file system is the host's.
    let id = file::mount_id(mounted.as_fd())?;
    let is_ours = setup.host.made.borrow().contains(&id);
    if mount.bind.is_none() && !is_ours || id == file::mount_id(setup.root()?)? {
        let reason =
            format!("no earlier mount has put a file system at {:?} that could be changed", mount.inside);
        return Err(SetupError::refused(Code::UnsafePath, reason).on(&mount.inside));
    }
    let hint = "remount changes what an earlier mount has put at the same destination";
    let changed = if mount.bind.is_some() {
        place::set_flags(setup, mounted.as_fd(), mount.flags, mount.cleared)
    } else {
        let Mount { fstype, source, flags, data, .. } = mount;
        let call = |names: &[String]| caisson_sys::mount::mount(source, &names[0], fstype, *flags, data);
        setup.host.procfs.with_names(&[mounted.as_fd()], call)?.map_err(Into::into)
    };
    changed.map_err(|problem| if problem.errno() == EINVAL { problem.hint(hint) } else { problem })
}

/// The kernel wants the access time attributes cleared as a whole before one of them is set.
fn recursively(mount: &Mount) -> Change {
    let touches_times = (mount.recursive_set | mount.recursive_clear).intersects(MountAttributes::ATIME);
    let times = if touches_times { MountAttributes::ATIME } else { MountAttributes::empty() };
    let clear = mount.recursive_clear | times;
    Change { set: mount.recursive_set, clear, recursive: true, ..Change::default() }
}

fn mount_bind(setup: &Setup<'_>, mount: &Mount, recursive: bool) -> Result<OwnedFd> {
    let source = source(setup, mount, recursive).map_err(|problem| {
        problem.hint("the source of a bind mount must exist and be reachable for the container's root")
    })?;
    let is_directory = file::status(source.as_fd())?.kind == Kind::Directory;
    let shape = if is_directory { Shape::Directory } else { Shape::File };
    let is_proc = file::filesystem(source.as_fd())? == PROC_SUPER_MAGIC;
    let target = if mount.destination_nofollow {
        target::existing(setup, &mount.inside, shape, is_proc)?
    } else {
        target::prepare(setup, &mount.inside, shape, false, is_proc)?
    };
    let mounted = match mount.id_map {
        Some(_) => place::put(source, target.fd.as_fd())?,
        None => place::bind(setup, source.as_fd(), spot(&target, mount), recursive)?,
    };
    place::set_flags(setup, mounted.as_fd(), mount.flags, mount.cleared)?;
    Ok(mounted)
}

/// What is bound: with mapped owners a detached tree, which has yet to be attached.
fn source(setup: &Setup<'_>, mount: &Mount, recursive: bool) -> Result<OwnedFd> {
    let sources = &setup.host.sources;
    match &mount.id_map {
        Some(map) => sources.caller()?.map_owners(&mount.source, !mount.source_nofollow, recursive, map),
        None => Ok(sources.open(&mount.source, !mount.source_nofollow)?),
    }
}

fn mount_new(setup: &Setup<'_>, mount: &Mount) -> Result<OwnedFd> {
    let is_proc = mount.fstype == "proc";
    let plain = is_proc || mount.fstype == "sysfs";
    let target = target::prepare(setup, &mount.inside, Shape::Directory, plain, is_proc)?;
    let mut data = mount.data.clone();
    if mount.fstype == "tmpfs" && target.existed {
        inherit_mode(&mut data, target.fd.as_fd())?;
    }
    // COMPAT(runc): below a tmpfs, and below /dev, mount points, devices and links have yet to be made.
    let is_written_to = mount.fstype == "tmpfs" || target::clean(&mount.inside) == "dev";
    let late = if is_written_to { mount.flags & MountFlags::RDONLY } else { MountFlags::empty() };
    let filesystem = Filesystem {
        fstype: &mount.fstype,
        source: &mount.source,
        flags: mount.flags & !late,
        data: &data,
        context: None,
    };
    let mounted = match place::filesystem(setup, &filesystem, spot(&target, mount)) {
        Err(problem) if problem.errno() == EPERM && mount.host_bind.is_some() => {
            bind_instead(setup, mount, &target).map_err(|_| explain(problem, mount))?
        }
        mounted => mounted.map_err(|problem| explain(problem, mount))?,
    };
    setup.host.made.borrow_mut().push(file::mount_id(mounted.as_fd())?);
    if let Some(label) = setup.mount_label.as_deref().filter(|_| mount.fstype == "mqueue") {
        attribute::set(mounted.as_fd(), "security.selinux", label.as_bytes())?;
    }
    if mount.tmpcopyup && target.existed {
        copyup::fill(target.fd.as_fd(), mounted.as_fd())?;
    }
    if !late.is_empty() {
        setup.host.late_readonly.borrow_mut().push(process::duplicate_above(mounted.as_fd(), 3)?);
    }
    Ok(mounted)
}

/// COMPAT(crun): a bind of what the host has.
/// SECURITY: read-only as a whole: what is mounted below is the host's own.
fn bind_instead(setup: &Setup<'_>, mount: &Mount, target: &Target) -> Result<OwnedFd> {
    let path = mount.host_bind.as_deref().unwrap_or_default();
    let source = setup.host.sources.open(path, true)?;
    let mounted = place::bind(setup, source.as_fd(), spot(target, mount), true)?;
    let set = mount.flags.attributes() | MountAttributes::RDONLY;
    let clear = if set.intersects(MountAttributes::ATIME) {
        MountAttributes::ATIME
    } else {
        MountAttributes::empty()
    };
    place::change(setup, mounted.as_fd(), Change { set, clear, recursive: true, ..Change::default() })?;
    Ok(mounted)
}

fn spot<'a>(target: &'a Target, mount: &'a Mount) -> MountTarget<'a> {
    let inside = &mount.inside;
    let path = if mount.destination_nofollow { Path::InsideNoFollow(inside) } else { Path::Inside(inside) };
    MountTarget { fd: target.fd.as_fd(), path }
}

/// A tmpfs over a directory looks like that directory, unless the options say otherwise (the last `mode=` counts).
fn inherit_mode(data: &mut String, directory: BorrowedFd<'_>) -> Result<()> {
    if data.split(',').any(|option| option.starts_with("mode=")) {
        return Ok(());
    }
    let mode = file::status(directory)?.permissions;
    let separator = if data.is_empty() { "" } else { "," };
    *data = format!("mode={mode:04o}{separator}{data}");
    Ok(())
}

/// What usually is behind a refused file system.
fn explain(problem: SetupError, mount: &Mount) -> SetupError {
    let hint = match (mount.fstype.as_str(), problem.errno()) {
        ("proc", EPERM) => {
            "a user namespace may mount a procfs only with a pid namespace of its own and where an unmasked /proc is \
             visible: inside another container that one must be unmasked, or bind /proc instead"
        }
        ("sysfs", EPERM) => {
            "a user namespace may mount a sysfs only with a network namespace of its own and where an unmasked /sys is \
             visible: bind /sys instead"
        }
        ("mqueue", EPERM) => "a user namespace may mount mqueue only with an ipc namespace of its own",
        ("devpts", EINVAL) => {
            "gid=, mode= and ptmxmode= must be valid; in a user namespace the gid must be mapped"
        }
        ("overlay", EINVAL) => {
            "the upper directory must not lie on an overlay, and work must be an empty directory beside it"
        }
        (_, EPERM) => "file systems on devices and most others cannot be mounted in a user namespace",
        _ => return problem,
    };
    problem.hint(hint)
}
