//! Copies a stack of layers to one plain tree, for hosts that cannot mount an overlay. Blocks are shared (FICLONE) if
//! the file system can, and hard links are kept.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, XattrFlags};
use rustix::io::Errno;

use super::attributes::of_handle;
use super::copy_up::{copy_directory_attributes, copy_up, status, times};
use super::merged::{Found, Merged, MergedDirectory, Names};
use super::owners::Owners;
use super::shift::Shift;
use super::staging::Staging;
use crate::{Error, Result, Stop};

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

const HANDLE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Copies the merged `layers` to `target`, which appears complete or not at all. `owners` maps the owner of each file.
pub fn flatten(layers: &Merged<'_>, target: &Path, owners: Option<&dyn Owners>, stop: &Stop) -> Result<()> {
    let staging = Staging::create(target, owners)?;
    let mut copier = Copier { root: staging.root().as_fd(), firsts: HashMap::new(), owners, stop };
    copier.directory(&layers.root()?, staging.root().as_fd(), &mut Vec::new())?;
    staging.publish()
}

struct Copier<'r> {
    root: BorrowedFd<'r>,
    /// The first name of a file with several, by device and inode.
    firsts: HashMap<(u64, u64), Names>,
    owners: Option<&'r dyn Owners>,
    stop: &'r Stop,
}

impl Copier<'_> {
    fn directory(&mut self, from: &MergedDirectory, to: BorrowedFd<'_>, path: &mut Names) -> Result<()> {
        for name in from.names()? {
            self.stop.check()?;
            self.stop.count_entry();
            match from.look(&name)? {
                Found::Nothing => {}
                Found::Directory(directory) => {
                    rustix::fs::mkdirat(to, name.as_slice(), Mode::from_raw_mode(0o700))
                        .map_err(|errno| Error::system("mkdirat", &name, errno))?;
                    let made = open_in(to, &name)?;
                    path.push(name);
                    self.directory(&directory, made.as_fd(), path)?;
                    path.pop();
                }
                Found::Other(parent, found) => {
                    path.push(name);
                    self.other(parent.as_fd(), &found, to, path)?;
                    path.pop();
                }
            }
        }
        let top = status(from.top(), b".")?;
        copy_directory_attributes(from.top(), &top, to)?;
        self.give(to, &top, path)?;
        rustix::fs::fchmod(to, Mode::from_raw_mode(top.st_mode & 0o7777))
            .map_err(|errno| Error::system("fchmod", b".", errno))?;
        rustix::fs::futimens(to, &times(&top)).map_err(|errno| Error::system("futimens", b".", errno))
    }

    fn other(
        &mut self,
        from: BorrowedFd<'_>,
        found: &Stat,
        to: BorrowedFd<'_>,
        path: &[Vec<u8>],
    ) -> Result<()> {
        let Some(name) = path.last() else { return Ok(()) };
        let key = (found.st_dev, found.st_ino);
        if let Some(first) = self.firsts.get(&key) {
            let (directory, first) = self.open_first(first)?;
            return rustix::fs::linkat(&directory, first.as_slice(), to, name.as_slice(), AtFlags::empty())
                .map_err(|errno| Error::system("linkat", name, errno));
        }
        copy_up(from, name, found, to, name)?;
        if self.owners.is_some() {
            let made = rustix::fs::openat(to, name.as_slice(), HANDLE, Mode::empty())
                .map_err(|errno| Error::system("openat", name, errno))?;
            self.give(made.as_fd(), found, path)?;
        }
        if found.st_nlink > 1 {
            self.firsts.insert(key, path.to_vec());
        }
        Ok(())
    }

    /// chown(2) clears set-id bits and capabilities, so both are set again.
    fn give(&self, made: BorrowedFd<'_>, status: &Stat, path: &[Vec<u8>]) -> Result<()> {
        let Some(owners) = self.owners else { return Ok(()) };
        let mut capability = [0u8; 64];
        let capability = rustix::fs::getxattr(of_handle(made), "security.capability", &mut capability[..])
            .ok()
            .map(|length| capability[..length].to_vec());
        let is_link = FileType::from_raw_mode(status.st_mode) == FileType::Symlink;
        if !is_link {
            shift_acls_of(made, owners.ids(), path)?;
        }
        let mode = (!is_link).then_some(status.st_mode & 0o7777);
        let owner = (status.st_uid, status.st_gid);
        owners.give(made, owner, mode, capability.as_deref()).map_err(|errno| {
            Error::system("fchownat", &path.join(&b'/'), errno).hint("map enough ids for this image")
        })
    }

    fn open_first(&self, path: &[Vec<u8>]) -> Result<(OwnedFd, Vec<u8>)> {
        let mut here = open_in(self.root, b".")?;
        let (last, parents) =
            path.split_last().map_or((Vec::new(), &[][..]), |(last, parents)| (last.clone(), parents));
        for name in parents {
            here = open_in(here.as_fd(), name)?;
        }
        Ok((here, last))
    }
}

/// Maps the ids of the copied access control lists to the host's.
// SECURITY: see `attributes::shift_acls`.
fn shift_acls_of(made: BorrowedFd<'_>, ids: &Shift, path: &[Vec<u8>]) -> Result<()> {
    let file = of_handle(made);
    let mut buffer = vec![0u8; 64 << 10]; // XATTR_SIZE_MAX
    for name in ["system.posix_acl_access", "system.posix_acl_default"] {
        let Ok(length) = rustix::fs::getxattr(&file, name, &mut buffer[..]) else { continue };
        let shown = || path.join(&b'/');
        let list = ids.list(&buffer[..length]).ok_or_else(|| {
            Error::system("setxattr", &shown(), Errno::INVAL).hint("map enough ids for this image")
        })?;
        rustix::fs::setxattr(&file, name, &list, XattrFlags::empty())
            .map_err(|errno| Error::system("setxattr", &shown(), errno))?;
    }
    Ok(())
}

fn open_in(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd> {
    rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())
        .map_err(|errno| Error::system("openat", name, errno))
}
