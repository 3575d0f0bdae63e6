//! Hard links to a file of the same layer or one below, wherever the target is in the archive.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::alone::Awaiting;
use super::apply::Applier;
use super::claims::Claims;
use super::tree::{Directory, components};
use crate::error::display;
use crate::tar::{Entry, EntryKind};
use crate::{Error, Kind, Result};

impl Applier<'_> {
    /// False if the target does not exist (yet).
    pub(super) fn hard_link(&mut self, entry: &Entry) -> Result<bool> {
        let EntryKind::HardLink(target) = &entry.kind else { return Ok(true) };
        let limits = self.limits;
        let (from, to) = (components(target, &limits)?, components(&entry.path, &limits)?);
        let shown = display(&entry.path);
        let (Some((from_name, from_parents)), Some((to_name, to_parents))) =
            (from.split_last(), to.split_last())
        else {
            let message = format!("{shown}: a hard link must not name the root directory");
            return Err(Error::new(Kind::Unsafe, message).on(shown));
        };
        if self.link_target(entry, from_parents, from_name)?.is_none() {
            return Ok(false);
        }
        let parent = self.parent(to_parents)?;
        // Creating the parent may have replaced the target or a part of its path.
        let Some((source, status)) = self.link_target(entry, from_parents, from_name)? else {
            return Ok(false);
        };
        let existing = rustix::fs::statat(&parent.fd, *to_name, AtFlags::SYMLINK_NOFOLLOW);
        if !existing.is_ok_and(|found| (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino)) {
            let linked = self.replace(&parent, to_name, entry, "linkat", || {
                rustix::fs::linkat(&source.fd, *from_name, &parent.fd, *to_name, AtFlags::empty())
            });
            linked.map_err(|error| match error.errno {
                Some(Errno::NOENT) => {
                    let target = display(target);
                    let why = format!(
                        "{shown}: its hard link target {target} is in the directory that it replaces"
                    );
                    Error::invalid(why).on(shown)
                }
                _ => error,
            })?;
        }
        if let Some((_, pending)) = &mut self.owners {
            pending.link(status.st_ino, to.join(&b'/'));
        }
        self.tree.place(&parent, to_name);
        Ok(true)
    }

    /// For a layer by itself: creates an empty placeholder for a link until the layers below are known.
    pub(super) fn keep_place(&mut self, entry: Entry) -> Result<()> {
        let limits = self.limits;
        let to = components(&entry.path, &limits)?;
        let Some((name, parents)) = to.split_last() else { return Ok(()) };
        let (found_directory, is_covered) = self.way_to_target(&entry)?;
        let parent = self.parent(parents)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = self.replace(&parent, name, &entry, "openat", || {
            rustix::fs::openat(&parent.fd, *name, flags, Mode::from_raw_mode(0o600))
        })?;
        self.take_place(&file, &entry.path)?;
        let inode = inode(&file, &entry.path)?;
        self.places.insert(inode, self.awaiting.len());
        let claims = self.claims.as_ref().map_or(0, Claims::len);
        self.awaiting.push(Awaiting { entry, place: Some(inode), found_directory, is_covered, claims });
        Ok(())
    }

    /// Whether the target is a directory, and whether another entry covers its path.
    fn way_to_target(&mut self, entry: &Entry) -> Result<(bool, bool)> {
        let EntryKind::HardLink(target) = &entry.kind else { return Ok((false, false)) };
        let limits = self.limits;
        let target = components(target, &limits)?;
        let is_covered = (1..target.len()).any(|end| {
            let found = self.tree.open_entry(&target[..end].join(&b'/'), OFlags::PATH);
            let status =
                found.and_then(rustix::fs::fstat).map(|found| FileType::from_raw_mode(found.st_mode));
            status.is_ok_and(|kind| !matches!(kind, FileType::Directory | FileType::Symlink))
        });
        Ok((self.tree.find(&target)?.is_some(), is_covered))
    }

    /// A file is new: its inode number does not belong to a placeholder any more.
    pub(super) fn take_place(&mut self, file: &OwnedFd, path: &[u8]) -> Result<()> {
        if !self.places.is_empty()
            && let Some(index) = self.places.remove(&inode(file, path)?)
        {
            self.awaiting[index].place = None;
        }
        Ok(())
    }

    /// The parent directory of the target, and its status. The path starts at the root of the layer; a link in its last
    /// component is linked, not followed.
    fn link_target(
        &mut self,
        entry: &Entry,
        parents: &[&[u8]],
        name: &[u8],
    ) -> Result<Option<(Rc<Directory>, Stat)>> {
        let Some(source) = self.tree.find(parents)? else { return Ok(None) };
        let status = match rustix::fs::statat(&source.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => status,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(Error::system("fstatat", name, errno)),
        };
        if FileType::from_raw_mode(status.st_mode) != FileType::Directory {
            return Ok(Some((source, status)));
        }
        if self.claims.is_some() && !self.directories.contains_key(&status.st_ino) {
            return Ok(None); // in a lower layer it may be a link where this one implied a directory
        }
        let shown = display(&entry.path);
        Err(Error::new(Kind::Unsafe, format!("{shown}: a hard link to a directory")).on(shown))
    }
}

fn inode(file: &OwnedFd, path: &[u8]) -> Result<u64> {
    Ok(rustix::fs::fstat(file).map_err(|errno| Error::system("fstat", path, errno))?.st_ino)
}
