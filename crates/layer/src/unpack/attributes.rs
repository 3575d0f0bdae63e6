//! Owner, mode, extended attributes and times, set through the new descriptor in the one order that works: `chown`
//! clears set-id bits and `security.capability`, so it comes first; times come last.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::policy::{Fallback, Policy, Report};
use super::shift::Shift;
use crate::error::display;
use crate::tar::{Entry, Time, acl};
use crate::{Error, Result};

pub const ROOTLESS_XATTR: &[u8] = b"user.rootlesscontainers";

/// `/proc/self/fd/N`: the file behind a descriptor, for calls that do not accept an O_PATH descriptor. If the file is a
/// link, it is not followed.
pub fn of_handle(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// chmod(2) of an O_PATH descriptor, which must not refer to a symbolic link.
pub fn change_mode_of_handle(fd: BorrowedFd<'_>, mode: u32) -> rustix::io::Result<()> {
    rustix::fs::chmod(of_handle(fd), Mode::from_raw_mode(mode))
}

pub fn timestamps(time: Time) -> Timestamps {
    let spec = Timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds.into() };
    Timestamps { last_access: spec, last_modification: spec }
}

/// The kind of descriptor, which determines the attributes that can be set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// Opened for reading or writing.
    Open,
    /// O_PATH: links, devices, FIFOs.
    Handle,
}

/// `fchownat(fd, "", …, AT_EMPTY_PATH)`, or the policy's fallback where it is not permitted.
pub fn change_owner(
    fd: BorrowedFd<'_>,
    carrier: Carrier,
    entry: &Entry,
    policy: &Policy,
    report: &mut Report,
) -> Result<()> {
    if !policy.rootless {
        let ids = (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)));
        match rustix::fs::chownat(fd, "", ids.0, ids.1, AtFlags::EMPTY_PATH) {
            Ok(()) => return Ok(()),
            // EINVAL: the id is not mapped in this user namespace.
            Err(Errno::PERM | Errno::INVAL) if policy.owners != Fallback::Error => {}
            Err(errno) => {
                let error = Error::system("fchownat", &entry.path, errno);
                return Err(error.hint(
                    "an ordinary user cannot give files away; use the option rootless, or owners: 'skip'",
                ));
            }
        }
    }
    if entry.uid == 0 && entry.gid == 0 {
        return Ok(()); // root of the image is the owner of a rootless tree
    }
    let owner = format!("{}:{}", entry.uid, entry.gid);
    if policy.owners == Fallback::Placeholder && carrier == Carrier::Open {
        let value = rootless_owner(entry.uid, entry.gid);
        match rustix::fs::fsetxattr(fd, ROOTLESS_XATTR, &value, XattrFlags::empty()) {
            Ok(()) => {
                report.skip(&entry.path, "owner", format!("{owner} is recorded in user.rootlesscontainers"));
                return Ok(());
            }
            Err(Errno::OPNOTSUPP | Errno::PERM | Errno::NOSPC) => {}
            Err(errno) => return Err(Error::system("fsetxattr", &entry.path, errno)),
        }
    }
    report.skip(&entry.path, "owner", format!("{owner} is not kept"));
    Ok(())
}

/// The protobuf message `Resource { uint32 uid = 1; uint32 gid = 2 }` of the rootlesscontainers project.
/// COMPAT(umoci): root is encoded as "not set" (4294967295), so that the same image gets the same attribute.
fn rootless_owner(uid: u32, gid: u32) -> Vec<u8> {
    let mut message = Vec::new();
    for (tag, id) in [(0x08, uid), (0x10, gid)] {
        message.push(tag);
        let mut rest = if id == 0 { u32::MAX } else { id };
        while rest >= 0x80 {
            message.push((rest as u8 & 0x7f) | 0x80);
            rest >>= 7;
        }
        message.push(rest as u8);
    }
    message
}

/// Attributes that would control an overlay mount, such as `trusted.overlay.opaque`.
pub fn steers_overlays(name: &[u8]) -> bool {
    name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.")
}

/// Attributes that are only valid on their machine, or would control an overlay mount.
fn is_foreign(name: &[u8]) -> bool {
    matches!(name, b"security.selinux" | b"system.nfs4_acl") || steers_overlays(name)
}

/// Access control lists of directories are set at the end: new entries would inherit a default list, and a change of
/// mode changes an access list.
pub fn is_acl(name: &[u8]) -> bool {
    name.starts_with(b"system.posix_acl_")
}

/// Maps the ids in access control lists to the host's, or drops a list that cannot be mapped.
// SECURITY: unmapped, the ids are other users of the host, who would get access to the file.
pub fn shift_acls(
    path: &[u8],
    xattrs: &mut Vec<(Vec<u8>, Vec<u8>)>,
    ids: Option<&Shift>,
    report: &mut Report,
) {
    xattrs.retain_mut(|(name, value)| {
        if !is_acl(name) || !acl::names_ids(value) {
            return true;
        }
        let shifted = ids.and_then(|ids| ids.list(value));
        if shifted.is_none() {
            report.skip(path, "xattr", format!("{} names ids that are not kept", display(name)));
        }
        shifted.map(|list| *value = list).is_some()
    });
}

/// Set together with the owner, as chown(2) clears it.
pub fn is_capability(name: &[u8]) -> bool {
    name == b"security.capability"
}

/// Removes the lists that [`set_xattrs`] could set from a directory, and returns them for the end.
pub fn take_acls(fd: BorrowedFd<'_>, entry: &Entry) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut taken = Vec::new();
    for (name, value) in entry.xattrs.iter().filter(|(name, _)| is_acl(name)) {
        match rustix::fs::fremovexattr(fd, name.as_slice()) {
            Ok(()) => taken.push((name.clone(), value.clone())),
            Err(Errno::NODATA | Errno::OPNOTSUPP) => {} // it could not be set
            Err(errno) => return Err(Error::system("fremovexattr", &entry.path, errno)),
        }
    }
    Ok(taken)
}

/// Removes inherited lists from a new directory.
pub fn clear_acls(fd: BorrowedFd<'_>) -> Result<()> {
    for name in ["system.posix_acl_default", "system.posix_acl_access"] {
        match rustix::fs::fremovexattr(fd, name) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(Error::system("fremovexattr", b"/", errno)),
        }
    }
    Ok(())
}

pub fn set_xattrs(
    fd: BorrowedFd<'_>,
    carrier: Carrier,
    entry: &Entry,
    policy: &Policy,
    report: &mut Report,
) -> Result<()> {
    for (name, value) in &entry.xattrs {
        if name.is_empty() || name.contains(&0) {
            return Err(Error::invalid(format!(
                "{}: an extended attribute has no valid name",
                display(&entry.path)
            )));
        }
        if is_foreign(name) {
            report.skip(&entry.path, "xattr", format!("{} is not restored", display(name)));
            continue;
        }
        let result = match carrier {
            Carrier::Open => rustix::fs::fsetxattr(fd, name.as_slice(), value, XattrFlags::empty()),
            Carrier::Handle => {
                rustix::fs::setxattr(of_handle(fd), name.as_slice(), value, XattrFlags::empty())
            }
        };
        match result {
            Ok(()) => {}
            // Too many attributes for this file system, or a value that it does not accept.
            Err(
                Errno::PERM
                | Errno::OPNOTSUPP
                | Errno::ACCESS
                | Errno::NOSPC
                | Errno::TOOBIG
                | Errno::RANGE
                | Errno::INVAL,
            ) if policy.xattrs != Fallback::Error => {
                report.skip(&entry.path, "xattr", format!("{} cannot be set here", display(name)));
            }
            Err(errno) => return Err(Error::system("fsetxattr", &entry.path, errno)),
        }
    }
    Ok(())
}

/// A directory that another layer describes again loses its previous attributes.
pub fn clear_xattrs(fd: BorrowedFd<'_>, path: &[u8]) -> Result<()> {
    let mut list = vec![0u8; 64 << 10]; // XATTR_LIST_MAX
    let length = match rustix::fs::flistxattr(fd, &mut list[..]) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(errno) => return Err(Error::system("flistxattr", path, errno)),
    };
    for name in list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        match rustix::fs::fremovexattr(fd, name) {
            Ok(()) | Err(Errno::NODATA | Errno::PERM | Errno::OPNOTSUPP | Errno::ACCESS) => {}
            Err(errno) => return Err(Error::system("fremovexattr", path, errno)),
        }
    }
    Ok(())
}
