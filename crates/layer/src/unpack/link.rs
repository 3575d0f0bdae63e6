//! Hard links: to what the same layer or one below it brought, wherever in the archive it comes.

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::apply::Applier;
use super::tree::components;
use crate::error::display;
use crate::tar::{Entry, EntryKind};
use crate::{Error, Kind, Result};

impl Applier<'_> {
    /// False where the target is not there (yet).
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
        // The target is a path from the root of the layer; a link in its last component is linked, not followed.
        let Some(source) = self.tree.find(from_parents)? else { return Ok(false) };
        let status = match rustix::fs::statat(&source.fd, *from_name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => status,
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(Error::system("fstatat", target, errno)),
        };
        if FileType::from_raw_mode(status.st_mode) == FileType::Directory {
            if self.claims.is_some() {
                return Ok(false); // with the layers below it may be a link that was taken for a directory
            }
            return Err(Error::new(Kind::Unsafe, format!("{shown}: a hard link to a directory")).on(shown));
        }
        let parent = self.parent(to_parents)?;
        let existing = rustix::fs::statat(&parent.fd, *to_name, AtFlags::SYMLINK_NOFOLLOW);
        if !existing.is_ok_and(|found| (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino)) {
            // Making the parent may have replaced what the target's path went through.
            let Some(source) = self.tree.find(from_parents)? else { return Ok(false) };
            self.replace(&parent, to_name, entry, "linkat", || {
                rustix::fs::linkat(&source.fd, *from_name, &parent.fd, *to_name, AtFlags::empty())
            })?;
        }
        if let Some((_, pending)) = &mut self.owners {
            pending.link(status.st_ino, to.join(&b'/'));
        }
        self.tree.place(&parent, to_name);
        Ok(true)
    }
}
