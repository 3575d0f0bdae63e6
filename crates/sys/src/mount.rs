//! Mounts: the API of Linux 5.2 by descriptor (`open_tree`, `fsopen`, `fsconfig`, `fsmount`, `move_mount`,
//! `mount_setattr` of 5.12) and the classic `mount(2)`, `umount2(2)`, `pivot_root(2)`.
//!
//! A descriptor from [`clone_tree`] or [`fsmount`] is a detached mount: gone when closed, unless [`attach`]ed before.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use caisson_flags::{MountAttributes, MountFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags};

use crate::Result;
use crate::call::{OrError, check, describe, with_c_str};

/// The flags that a mount has now, of one mount each: `fstatvfs(3)`.
pub fn flags_of(fd: BorrowedFd<'_>) -> Result<MountFlags> {
    let status = rustix::fs::fstatvfs(fd).or_error("fstatfs", || describe(fd))?;
    Ok(MountFlags::from_status(status.f_flag.bits()))
}

/// What one `mount_setattr(2)` changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Change {
    pub set: MountAttributes,
    pub clear: MountAttributes,
    /// One of PRIVATE, SLAVE, SHARED, UNBINDABLE, or none.
    pub propagation: MountFlags,
    pub recursive: bool,
}

#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// `open_tree(dir, path, OPEN_TREE_CLONE)`: a detached bind mount of `path`; the whole tree below it if `recursive`.
/// An empty `path` means `dir` itself (an O_PATH descriptor of a file works too).
///
/// EINVAL: not in our mount namespace, or an unbindable mount. EPERM: no CAP_SYS_ADMIN over the mount namespace.
pub fn clone_tree(dir: BorrowedFd<'_>, path: &str, recursive: bool) -> Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    if path.is_empty() {
        flags |= OpenTreeFlags::AT_EMPTY_PATH;
    }
    rustix::mount::open_tree(dir, path, flags)
        .or_error("open_tree", || format!("{}, {path:?}, {:#x}", describe(dir), flags.bits()))
        .map_err(|error| if path.is_empty() { error } else { error.on(path) })
}

/// `fsopen(2)`. ENODEV: this kernel does not know the type.
pub fn fsopen(fstype: &str) -> Result<OwnedFd> {
    rustix::mount::fsopen(fstype, FsOpenFlags::FSOPEN_CLOEXEC)
        .or_error("fsopen", || format!("{fstype:?}, FSOPEN_CLOEXEC"))
}

/// `fsconfig(FSCONFIG_SET_STRING)`; the kernel takes values of up to 255 bytes.
pub fn fsconfig_string(fs: BorrowedFd<'_>, key: &str, value: &str) -> Result<()> {
    rustix::mount::fsconfig_set_string(fs, key, value)
        .or_error("fsconfig", || format!("{}, FSCONFIG_SET_STRING, {key:?}, {value:?}", fs.as_raw_fd()))
}

/// `fsconfig(FSCONFIG_SET_FD)`. EINVAL: this kernel takes no descriptor there (overlay's layers: Linux 6.13).
pub fn fsconfig_fd(fs: BorrowedFd<'_>, key: &str, value: BorrowedFd<'_>) -> Result<()> {
    rustix::mount::fsconfig_set_fd(fs, key, value).or_error("fsconfig", || {
        format!("{}, FSCONFIG_SET_FD, {key:?}, NULL, {}", fs.as_raw_fd(), describe(value))
    })
}

/// `fsconfig(FSCONFIG_SET_FLAG)`.
pub fn fsconfig_flag(fs: BorrowedFd<'_>, key: &str) -> Result<()> {
    rustix::mount::fsconfig_set_flag(fs, key)
        .or_error("fsconfig", || format!("{}, FSCONFIG_SET_FLAG, {key:?}", fs.as_raw_fd()))
}

/// `fsconfig(FSCONFIG_CMD_CREATE)`: makes (or finds) the super block.
pub fn fsconfig_create(fs: BorrowedFd<'_>) -> Result<()> {
    rustix::mount::fsconfig_create(fs)
        .or_error("fsconfig", || format!("{}, FSCONFIG_CMD_CREATE, NULL, NULL, 0", fs.as_raw_fd()))
}

/// `fsmount(2)`: a detached mount of the new super block with these `MOUNT_ATTR_*`.
pub fn fsmount(fs: BorrowedFd<'_>, attributes: MountAttributes) -> Result<OwnedFd> {
    let attributes = MountAttrFlags::from_bits_retain(attributes.bits() as u32);
    rustix::mount::fsmount(fs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .or_error("fsmount", || format!("{}, FSMOUNT_CLOEXEC, {:#x}", fs.as_raw_fd(), attributes.bits()))
}

/// What the kernel has to say about the last failure on an `fsopen` descriptor, one line; often nothing.
pub fn kernel_log(fs: BorrowedFd<'_>) -> Option<String> {
    let mut lines = Vec::new();
    let mut line = [0u8; 1024];
    while let Ok(count) = rustix::io::read(fs, &mut line) {
        // "e proc: Bad value": a letter for the severity, a space, the text
        let text = String::from_utf8_lossy(line.get(2..count)?).trim_end().to_owned();
        lines.push(text);
    }
    if lines.is_empty() { None } else { Some(lines.join("; ")) }
}

/// `move_mount(tree, "", target, "")`: puts a detached (or any) mount on what `target` refers to. Nothing is looked up
/// by name, so nothing can be swapped meanwhile.
pub fn attach(tree: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(tree, "", target, "", flags).or_error("move_mount", || {
        format!("{}, \"\", {}, \"\", {:#x}", tree.as_raw_fd(), describe(target), flags.bits())
    })
}

/// `mount_setattr(fd, "", AT_EMPTY_PATH)`. Linux 5.12.
///
/// EPERM: the change would clear a flag that is locked in this user namespace. EINVAL: not the root of a mount.
pub fn change(fd: BorrowedFd<'_>, change: Change) -> Result<()> {
    let flags = libc::AT_EMPTY_PATH | if change.recursive { libc::AT_RECURSIVE } else { 0 };
    let attr = MountAttr {
        attr_set: change.set.bits(),
        attr_clr: change.clear.bits(),
        propagation: change.propagation.bits(),
        userns_fd: 0,
    };
    // SAFETY: the path is a static C string, `attr` is a live struct mount_attr of the size given; the kernel keeps
    // neither.
    let value = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    check(value, "mount_setattr", || {
        let (set, clear, propagation) = (change.set.bits(), change.clear.bits(), change.propagation.bits());
        format!(
            "{}, \"\", {flags:#x}, {{attr_set={set:#x}, attr_clr={clear:#x}, propagation={propagation:#x}}}",
            describe(fd)
        )
    })
    .map(drop)
}

/// Makes a detached mount show every owner as the user namespace `namespace` maps it: on disk 0, in there its root.
/// `mount_setattr(fd, "", AT_EMPTY_PATH, {MOUNT_ATTR_IDMAP})`. Linux 5.12; tmpfs 6.3.
///
/// With `recursive` all mounts of the tree, or none.
///
/// EINVAL: a file system cannot, or the mount is attached or mapped already. EPERM: no CAP_SYS_ADMIN in the user
/// namespace that owns the file system.
pub fn map_ids(fd: BorrowedFd<'_>, namespace: BorrowedFd<'_>, recursive: bool) -> Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    let attr = MountAttr {
        attr_set: MountAttributes::IDMAP.bits(),
        attr_clr: 0,
        propagation: 0,
        userns_fd: namespace.as_raw_fd().unsigned_abs().into(),
    };
    // SAFETY: the path is a static C string, `attr` is a live struct mount_attr of the size given; the kernel keeps
    // neither.
    let value = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    check(value, "mount_setattr", || {
        format!(
            "{}, \"\", {flags:#x}, {{attr_set=MOUNT_ATTR_IDMAP, userns_fd={}}}",
            describe(fd),
            describe(namespace)
        )
    })
    .map(drop)
}

/// `mount(2)`; empty texts become NULL. Only for targets that no container can change, or `/proc/self/fd/N` of a
/// procfs that we trust.
pub fn mount(source: &str, target: &str, fstype: &str, flags: MountFlags, data: &str) -> Result<()> {
    let null = |text: &str, pointer| if text.is_empty() { std::ptr::null() } else { pointer };
    let value = with_c_str(source, "mount", |source_c| {
        with_c_str(target, "mount", |target_c| {
            with_c_str(fstype, "mount", |fstype_c| {
                with_c_str(data, "mount", |data_c| {
                    // SAFETY: all four are C strings (or NULL) that live through the call.
                    unsafe {
                        libc::mount(
                            null(source, source_c),
                            target_c,
                            null(fstype, fstype_c),
                            flags.bits() as libc::c_ulong,
                            null(data, data_c).cast(),
                        )
                    }
                })
            })
        })
    })????;
    let arguments = || format!("{source:?}, {target:?}, {fstype:?}, {:#x}, {data:?}", flags.bits());
    check(value.into(), "mount", arguments).map_err(|error| error.on(target)).map(drop)
}

/// `umount2(path, MNT_DETACH)`.
pub fn detach(path: &str) -> Result<()> {
    rustix::mount::unmount(path, rustix::mount::UnmountFlags::DETACH)
        .or_error("umount2", || format!("{path:?}, MNT_DETACH"))
        .map_err(|error| error.on(path))
}

/// `pivot_root(".", ".")`: the current directory becomes the root, the old root lies on top of it.
///
/// EINVAL: the current directory is not a mount point, or its parent mount (or the root's) is shared, or `/` is the
/// initial ramfs.
pub fn pivot_root_here() -> Result<()> {
    rustix::process::pivot_root(".", ".").or_error("pivot_root", || "\".\", \".\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_of_procfs_are_known() {
        let proc = std::fs::File::open("/proc/self").unwrap();
        let text = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let options = text.lines().rfind(|line| line.split(' ').nth(1) == Some("/proc")).unwrap().to_owned();
        let flags = flags_of(std::os::fd::AsFd::as_fd(&proc)).unwrap();
        for (name, flag) in [
            ("nosuid", MountFlags::NOSUID),
            ("noexec", MountFlags::NOEXEC),
            ("relatime", MountFlags::RELATIME),
        ] {
            let listed = options.split([' ', ',']).any(|option| option == name);
            assert_eq!(flags.contains(flag), listed, "{name} in {options}");
        }
    }

    #[test]
    fn an_unknown_file_system_type_is_enodev_or_refused() {
        let error = fsopen("caisson-no-such-fs").unwrap_err();
        assert!([libc::ENODEV, libc::EPERM].contains(&error.errno()), "{error}");
        assert!(
            error.to_string().starts_with("fsopen(\"caisson-no-such-fs\", FSOPEN_CLOEXEC): E"),
            "{error}"
        );
    }

    #[test]
    fn a_path_with_nul_reaches_no_system_call() {
        let error = mount("", "/a\0b", "", MountFlags::empty(), "").unwrap_err();
        assert_eq!((error.call(), error.errno()), ("mount", libc::EINVAL));
    }
}
