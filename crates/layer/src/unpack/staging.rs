//! The private directory in which a root file system is built: beside its target, inaccessible to other users, renamed
//! when complete, removed otherwise. It is locked while it is built: an unlocked one was left by a killed process, and
//! is removed by the next one beside it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::owners::Owners;
use super::remove::{children, remove_tree_of};
use crate::temporary::{is_abandoned, with_unique_name};
use crate::{Error, Kind, Result};

const PREFIX: &str = ".caisson-";

pub struct Staging<'o> {
    owners: Option<&'o dyn Owners>,
    parent: OwnedFd,
    root: OwnedFd,
    name: Vec<u8>,
    target_name: Vec<u8>,
    target: PathBuf,
    published: bool,
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

impl<'o> Staging<'o> {
    /// `owners` may have to return the tree before it can be removed.
    pub fn create(target: &Path, owners: Option<&'o dyn Owners>) -> Result<Self> {
        let (Some(parent_path), Some(target_name)) = (target.parent(), target.file_name()) else {
            return Err(Error::new(Kind::Option, format!("{} cannot be unpacked to", target.display())));
        };
        let parent_path = if parent_path.as_os_str().is_empty() { Path::new(".") } else { parent_path };
        let target_name = target_name.as_encoded_bytes().to_vec();
        let directory = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = rustix::fs::openat(CWD, parent_path, directory | OFlags::RDONLY, Mode::empty())
            .map_err(|errno| Error::system("open", bytes(parent_path), errno))?;
        refuse_content(&parent, &target_name, target)?;
        sweep(parent.as_fd(), owners);
        let (name, root) = with_unique_name(PREFIX, |name| {
            match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o700)) {
                Ok(()) => {}
                Err(Errno::EXIST) => return Ok(None),
                Err(errno) => return Err(Error::system("mkdirat", bytes(parent_path), errno)),
            }
            let opened = open_locked(parent.as_fd(), name);
            if opened.is_err() {
                let _ = rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR);
            }
            opened
        })?;
        Ok(Self { owners, parent, root, name, target_name, target: target.to_owned(), published: false })
    }

    pub fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// Gives the directory its name; an empty directory of that name is replaced.
    pub fn publish(mut self) -> Result<()> {
        match rustix::fs::renameat(&self.parent, &self.name, &self.parent, &self.target_name) {
            Ok(()) => {
                self.published = true;
                Ok(())
            }
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => Err(exists(&self.target)),
            Err(errno) => Err(Error::system("renameat", bytes(&self.target), errno)),
        }
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        if !self.published {
            // Drop cannot report an error; the name of the remains tells users what they are.
            let _ = remove_tree_of(self.parent.as_fd(), &self.name, self.owners);
        }
    }
}

const OPEN: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::RDONLY).union(OFlags::CLOEXEC);

/// `None` where another process swept it before it was locked.
fn open_locked(parent: BorrowedFd<'_>, name: &[u8]) -> Result<Option<OwnedFd>> {
    let root = match rustix::fs::openat(parent, name, OPEN, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        other => other.map_err(|errno| Error::system("openat", name, errno))?,
    };
    // Without support for locks nothing is swept either.
    let _ = rustix::fs::flock(&root, FlockOperation::LockExclusive);
    let status = rustix::fs::fstat(&root).map_err(|errno| Error::system("fstat", name, errno))?;
    Ok((status.st_nlink > 0).then_some(root))
}

/// Best effort: what cannot be removed stays, such as files of ids that only other `owners` can return.
fn sweep(parent: BorrowedFd<'_>, owners: Option<&dyn Owners>) {
    for name in children(parent, b".").unwrap_or_default().iter().filter(|name| is_staging(name)) {
        let Ok(left) = rustix::fs::openat(parent, name, OPEN, Mode::empty()) else { continue };
        if is_abandoned(&left) {
            let _ = remove_tree_of(parent, name, owners);
        }
    }
}

/// Whether [`with_unique_name`] made the name.
fn is_staging(name: &[u8]) -> bool {
    name.strip_prefix(PREFIX.as_bytes()).is_some_and(|rest| {
        let mut parts = rest.split(|byte| *byte == b'-');
        let mut number =
            || parts.next().is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
        number() && number() && number() && parts.next().is_none()
    })
}

fn exists(target: &Path) -> Error {
    let shown = target.display().to_string();
    Error::new(Kind::Exists, format!("{shown} exists and is not an empty directory"))
        .on(shown)
        .hint("remove it first, or unpack to another place")
}

/// Only saves work: the rename is what decides.
fn refuse_content(parent: &OwnedFd, name: &[u8], target: &Path) -> Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = match rustix::fs::openat(parent, name, flags, Mode::empty()) {
        Ok(directory) => directory,
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTDIR | Errno::LOOP) => return Err(exists(target)),
        Err(errno) => return Err(Error::system("openat", bytes(target), errno)),
    };
    let listing = rustix::fs::Dir::read_from(&directory)
        .and_then(|mut entries| {
            entries.try_fold(0usize, |count, entry| {
                let name = entry?;
                Ok(count + usize::from(!matches!(name.file_name().to_bytes(), b"." | b"..")))
            })
        })
        .map_err(|errno| Error::system("getdents64", bytes(target), errno))?;
    if listing == 0 { Ok(()) } else { Err(exists(target)) }
}

/// Removes a directory with its content, without following links and without running out of descriptors on deep trees.
/// A missing directory is not an error.
pub fn remove_directory(path: &Path) -> Result<()> {
    remove_directory_of(path, None)
}

/// Like [`remove_directory`], for a tree with owners that this process cannot set.
pub fn remove_directory_of(path: &Path, owners: Option<&dyn Owners>) -> Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::new(Kind::Option, format!("{} cannot be removed", path.display())));
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, parent, flags, Mode::empty()) {
        Ok(parent) => match rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(()),
            _ => remove_tree_of(parent.as_fd(), name.as_encoded_bytes(), owners),
        },
        Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(Error::system("open", bytes(parent), errno)),
    }
}
