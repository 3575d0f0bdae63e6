//! Owners that this process cannot set: subordinate ids of a user, set through a process that is root in a user
//! namespace. Files change owner at the very end: until then this process can change, link and replace them.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::policy::{Fallback, Report};
use super::shift::Shift;
use super::tree::Tree;
use crate::tar::{Entry, EntryKind};
use crate::{Error, Result};

/// Sets owners. Ids are those of the image.
pub trait Owners: Send + Sync {
    /// Sets the owner of the file behind an O_PATH descriptor. `mode` must be set again, as chown(2) clears set-id
    /// bits; `capability` is the value of `security.capability`. Returns `EINVAL` for an id that is not mapped.
    fn give(
        &self,
        file: BorrowedFd<'_>,
        owner: (u32, u32),
        mode: Option<u32>,
        capability: Option<&[u8]>,
    ) -> rustix::io::Result<()>;

    /// Whether the image's root maps to this process's user, who owns new files already.
    fn root_is_us(&self) -> bool;

    /// The mapping to the host's ids, for access control lists, which the owner of a file may set.
    fn ids(&self) -> &Shift;
}

/// Pending changes of owner, by inode.
pub struct Pending {
    gifts: HashMap<u64, Gift>,
    root_is_us: bool,
}

struct Gift {
    /// Every name of the file; a later layer may remove some of them.
    paths: Vec<Vec<u8>>,
    owner: (u32, u32),
    mode: Option<u32>,
    capability: Option<Vec<u8>>,
}

impl Gift {
    /// For a directory without an entry.
    fn of_root() -> Self {
        Self { paths: Vec::new(), owner: (0, 0), mode: None, capability: None }
    }
}

const SET_IDS: u32 = 0o6000;

impl Pending {
    pub fn new(owners: &dyn Owners) -> Self {
        Self { gifts: HashMap::new(), root_is_us: owners.root_is_us() }
    }

    /// Records a new entry at `path` with its `security.capability`.
    pub fn note(&mut self, inode: u64, path: Vec<u8>, entry: &Entry, capability: Option<Vec<u8>>) {
        let has_mode = !matches!(entry.kind, EntryKind::Symlink(_));
        self.forget(inode);
        if self.root_is_us && (entry.uid, entry.gid) == (0, 0) && capability.is_none() {
            return;
        }
        let gift = Gift {
            paths: vec![path],
            owner: (entry.uid, entry.gid),
            mode: (entry.mode & SET_IDS != 0 && has_mode).then_some(entry.mode),
            capability,
        };
        self.gifts.insert(inode, gift);
    }

    /// The inode number now belongs to another file.
    pub fn forget(&mut self, inode: u64) {
        self.gifts.remove(&inode);
    }

    /// Another name of the same file.
    pub fn link(&mut self, inode: u64, path: Vec<u8>) {
        if let Some(gift) = self.gifts.get_mut(&inode) {
            gift.paths.push(path);
        }
    }

    /// Sets the owner of a directory, which must be complete by then.
    pub fn give_directory(
        &mut self,
        owners: &dyn Owners,
        inode: u64,
        directory: BorrowedFd<'_>,
        policy: Fallback,
        report: &mut Report,
    ) -> Result<()> {
        match self.gifts.remove(&inode) {
            Some(gift) => give(owners, directory, &gift, policy, report),
            None if self.root_is_us => Ok(()),
            None => give(owners, directory, &Gift::of_root(), policy, report),
        }
    }

    /// Sets the owners of everything but directories, which must still be accessible.
    pub fn give_files(
        &mut self,
        owners: &dyn Owners,
        tree: &Tree<'_>,
        is_directory: impl Fn(u64) -> bool,
        policy: Fallback,
        report: &mut Report,
    ) -> Result<()> {
        let mut files: Vec<_> = self.gifts.extract_if(|inode, _| !is_directory(*inode)).collect();
        files.sort_by(|(_, a), (_, b)| a.paths.cmp(&b.paths));
        for (inode, gift) in files {
            for path in &gift.paths {
                let file = match tree.open_entry(path, OFlags::PATH) {
                    Ok(file) => file,
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue, // a later layer removed it
                    Err(errno) => return Err(Error::system("openat2", path, errno)),
                };
                let status = rustix::fs::fstat(&file).map_err(|errno| Error::system("fstat", path, errno))?;
                if status.st_ino == inode {
                    give(owners, file.as_fd(), &gift, policy, report)?;
                    break;
                }
            }
        }
        Ok(())
    }
}

fn give(
    owners: &dyn Owners,
    file: BorrowedFd<'_>,
    gift: &Gift,
    policy: Fallback,
    report: &mut Report,
) -> Result<()> {
    let Gift { paths, owner: (uid, gid), mode, capability } = gift;
    let path = paths.first().map_or(&b""[..], Vec::as_slice);
    match owners.give(file, (*uid, *gid), *mode, capability.as_deref()) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::PERM) if policy != Fallback::Error => {
            report.skip(path, "owner", format!("{uid}:{gid} is not in the id mappings"));
            Ok(())
        }
        Err(errno) => Err(Error::system("fchownat", path, errno)
            .hint("map enough ids for this image (/etc/subuid, /etc/subgid), or use owners: 'skip'")),
    }
}
