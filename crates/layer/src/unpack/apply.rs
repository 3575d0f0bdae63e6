//! Applies entries to the tree in order. A directory merges with a directory; anything else replaces the existing
//! entry.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use crc32fast::Hasher as Crc;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::alone::{Awaiting, Unsettled};
use super::attributes::{
    Carrier, change_owner, clear_acls, clear_xattrs, is_capability, set_xattrs, shift_acls, take_acls,
    timestamps,
};
use super::checksums::Checksums;
use super::claims::{Claim, Claims};
use super::finish::{Deferred, finish_directories};
use super::owners::{Owners, Pending};
use super::policy::{Policy, Report};
use super::tree::{Directory, Tree, components};
use super::whiteout::{self, Marker};
use crate::chunk::Source;
use crate::error::display;
use crate::tar::{Entry, EntryKind, Reader, Time};
use crate::{Error, Kind, Limits, Result, Stop};

pub struct Applier<'r> {
    pub(super) tree: Tree<'r>,
    pub(super) limits: Limits,
    pub(super) policy: Policy,
    stop: Stop,
    layers: usize,
    /// Modes and times of directories, set at the very end: until then all must be writable, and every new entry would
    /// change the time. Keyed by inode, so that a directory that was replaced is not confused with the new one.
    pub(super) directories: HashMap<u64, Deferred>,
    /// Hard links of the current layer whose target has not come yet.
    links: Vec<Entry>,
    /// In place of `links` for a layer that is unpacked by itself.
    pub(super) awaiting: Vec<Awaiting>,
    /// The index in `awaiting` of the link that an inode is the placeholder of.
    pub(super) places: HashMap<u64, usize>,
    /// The whiteouts of a layer that is unpacked by itself, to be applied to the layers below.
    pub(super) claims: Option<Claims>,
    root_described: bool,
    /// Only for a layer that is unpacked by itself.
    checksums: Option<Checksums>,
    /// Effective uid and gid of this process.
    ids: (u32, u32),
    /// Set if another process sets owners.
    pub(super) owners: Option<(&'r dyn Owners, Pending)>,
    /// `security.capability` of the current entry, if another process sets owners.
    capability: Option<Vec<u8>>,
    pub report: Report,
}

impl<'r> Applier<'r> {
    pub fn new(root: BorrowedFd<'r>, limits: Limits, policy: Policy, stop: Stop) -> Result<Self> {
        let inode = rustix::fs::fstat(root).map_err(|errno| Error::system("fstat", b"/", errno))?.st_ino;
        clear_acls(root)?; // new entries would inherit its default list
        let root_attributes = Deferred::new(Vec::new(), 0o755, Time::default());
        Ok(Self {
            tree: Tree::new(root, stop.clone()),
            limits,
            policy,
            stop,
            layers: 0,
            directories: HashMap::from([(inode, root_attributes)]),
            links: Vec::new(),
            awaiting: Vec::new(),
            places: HashMap::new(),
            claims: None,
            root_described: false,
            checksums: None,
            ids: (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
            owners: None,
            capability: None,
            report: Report::default(),
        })
    }

    /// `owners` sets owners, at the end.
    #[must_use]
    pub fn with_owners(mut self, owners: Option<&'r dyn Owners>) -> Self {
        self.owners = owners.map(|owners| (owners, Pending::new(owners)));
        self
    }

    /// Takes checksums of files.
    #[must_use]
    pub fn with_checksums(self) -> Self {
        Self { checksums: Some(Checksums::default()), ..self }
    }

    pub fn take_checksums(&mut self) -> Checksums {
        self.checksums.take().unwrap_or_default()
    }

    /// For a layer by itself: what it says of layers below is not applied, but returned by [`Self::unsettled`].
    pub fn alone(root: BorrowedFd<'r>, limits: Limits, policy: Policy, stop: Stop) -> Result<Self> {
        if policy.keep_dirlinks {
            let message =
                "links to directories cannot be kept in a layer by itself: only the layers below have them";
            return Err(Error::new(Kind::Option, message));
        }
        let alone = Self::new(root, limits, policy, stop)?.with_checksums();
        Ok(Self { claims: Some(Claims::default()), ..alone })
    }

    /// Applies one layer, up to its end marker.
    pub fn layer(&mut self, source: &mut dyn Source) -> Result<()> {
        self.tree.begin_layer(self.layers == 0);
        self.layers += 1;
        let mut reader = Reader::new(source, self.limits);
        while let Some(entry) = reader.next_entry()? {
            self.stop.check()?;
            self.stop.count_entry();
            self.report.entries += 1;
            Limits::check("entries", self.report.entries, self.limits.entries)?;
            self.entry(entry, &mut reader)?;
        }
        for entry in std::mem::take(&mut self.links) {
            if !self.hard_link(&entry)? {
                let EntryKind::HardLink(target) = &entry.kind else { continue };
                let message = format!(
                    "{}: its hard link target {:?} is missing",
                    display(&entry.path),
                    display(target)
                );
                return Err(Error::invalid(message).on(display(&entry.path)));
            }
        }
        Ok(())
    }

    fn entry(&mut self, mut entry: Entry, reader: &mut Reader<'_>) -> Result<()> {
        let limits = self.limits;
        let parts = components(&entry.path, &limits)?;
        match whiteout::marker(&parts, &entry.path)? {
            Marker::None => {}
            marker => {
                let parents = &parts[..parts.len() - 1];
                let Some(claims) = &mut self.claims else {
                    return whiteout::apply(&mut self.tree, parents, &marker);
                };
                claims.add(Claim::of(parents, &marker));
                return Ok(());
            }
        }
        if self.policy.rootless || self.owners.is_some() {
            let ids = self.owners.as_ref().map(|(owners, _)| owners.ids());
            shift_acls(&entry.path, &mut entry.xattrs, ids, &mut self.report);
        }
        let Some((name, parents)) = parts.split_last() else {
            return self.root(&entry);
        };
        if let EntryKind::Unknown(flag) = entry.kind {
            self.report.skip(&entry.path, "type", format!("type flag {:?} is unknown", char::from(flag)));
            return Ok(());
        }
        if let EntryKind::HardLink(_) = entry.kind {
            if !self.hard_link(&entry)? {
                if self.claims.is_some() {
                    self.keep_place(entry)?; // a layer below may have it
                } else {
                    self.links.push(entry);
                }
            }
            return Ok(());
        }
        if self.owners.is_some() {
            let own = entry.xattrs.iter().position(|(name, _)| is_capability(name));
            self.capability = own.map(|at| entry.xattrs.swap_remove(at).1);
        }
        let parent = self.parent(parents)?;
        match &entry.kind {
            EntryKind::File => self.file(&parent, name, &entry, reader)?,
            EntryKind::Directory => self.directory(&parent, name, &parts, &entry)?,
            EntryKind::Symlink(target) => self.symlink(&parent, name, target, &entry)?,
            EntryKind::CharDevice(..) | EntryKind::BlockDevice(..) | EntryKind::Fifo => {
                self.special(&parent, name, &entry)?;
            }
            EntryKind::HardLink(_) | EntryKind::Unknown(_) => {}
        }
        self.tree.place(&parent, name);
        Ok(())
    }

    /// The parent directory of a new entry. A directory that is created does not inherit the records of its inode
    /// number.
    pub(super) fn parent(&mut self, path: &[&[u8]]) -> Result<Rc<Directory>> {
        let known = self.tree.implied.len();
        let parent = self.tree.make(path)?;
        for path in &self.tree.implied[known..] {
            let system = |call, errno| Error::system(call, path, errno);
            let made = self.tree.open_entry(path, OFlags::PATH).map_err(|errno| system("openat2", errno))?;
            let status = rustix::fs::fstat(&made).map_err(|errno| system("fstat", errno))?;
            self.directories.remove(&status.st_ino);
            if let Some((_, pending)) = &mut self.owners {
                pending.forget(status.st_ino);
            }
        }
        Ok(parent)
    }

    /// SECURITY: the root must be a directory (CVE-2021-29136).
    fn root(&mut self, entry: &Entry) -> Result<()> {
        if entry.kind != EntryKind::Directory {
            return Err(Error::new(Kind::Unsafe, "the archive would replace the root directory")
                .on(display(&entry.path)));
        }
        self.root_described = true;
        let root = self.tree.root();
        self.directory_attributes(root, Vec::new(), entry, true)
    }

    /// Creates with `create` after removing an existing entry.
    pub(super) fn replace<T>(
        &mut self,
        parent: &Directory,
        name: &[u8],
        entry: &Entry,
        call: &'static str,
        create: impl Fn() -> rustix::io::Result<T>,
    ) -> Result<T> {
        match create() {
            Err(Errno::EXIST) => {}
            other => return other.map_err(|errno| creation_error(call, entry, errno)),
        }
        if let Some(claims) = &mut self.claims {
            // The replaced entry of this layer already hid the one below.
            claims.add(Claim::of_path(&components(&entry.path, &self.limits)?));
        }
        self.tree.remove(parent.fd.as_fd(), name)?;
        create().map_err(|errno| creation_error(call, entry, errno))
    }

    fn file(
        &mut self,
        parent: &Directory,
        name: &[u8],
        entry: &Entry,
        reader: &mut Reader<'_>,
    ) -> Result<()> {
        self.report.set_ids += u64::from(entry.mode & 0o6000 != 0);
        self.report.bytes = self.report.bytes.saturating_add(entry.size);
        Limits::check("bytes", self.report.bytes, self.limits.bytes)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let file = self
            .replace(parent, name, entry, "openat", || rustix::fs::openat(&parent.fd, name, flags, mode))?;
        self.take_place(&file, &entry.path)?;
        self.write(&file, entry, reader)?;
        self.own(parent, file.as_fd(), Carrier::Open, entry)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(entry.mode))
            .map_err(|errno| Error::system("fchmod", &entry.path, errno))?;
        set_xattrs(file.as_fd(), Carrier::Open, entry, &self.policy, &mut self.report)?;
        rustix::fs::futimens(&file, &timestamps(entry.mtime))
            .map_err(|errno| Error::system("futimens", &entry.path, errno))
    }

    /// Changes the owner of a new entry in `parent`, unless it already has the right one: our uid, and our gid or that
    /// of the directory (set-gid, mount option grpid).
    pub(super) fn own(
        &mut self,
        parent: &Directory,
        fd: BorrowedFd<'_>,
        carrier: Carrier,
        entry: &Entry,
    ) -> Result<()> {
        if self.owners.is_some() {
            return self.own_later(fd, entry);
        }
        if !self.policy.rootless && (entry.uid, entry.gid) == self.ids && parent.gid == entry.gid {
            return Ok(());
        }
        change_owner(fd, carrier, entry, &self.policy, &mut self.report)
    }

    fn own_later(&mut self, fd: BorrowedFd<'_>, entry: &Entry) -> Result<()> {
        let Some((_, pending)) = &mut self.owners else { return Ok(()) };
        let inode = rustix::fs::fstat(fd).map_err(|errno| Error::system("fstat", &entry.path, errno))?.st_ino;
        if entry.kind != EntryKind::Directory {
            // SECURITY: a directory that had this number is gone. Confused with it, the file would keep our owner.
            self.directories.remove(&inode);
        }
        let path = match self.tree.real_path(fd) {
            Some(path) => path,
            None => components(&entry.path, &self.limits)?.join(&b'/'),
        };
        pending.note(inode, path, entry, self.capability.take());
        Ok(())
    }

    fn write(&mut self, file: &OwnedFd, entry: &Entry, reader: &mut Reader<'_>) -> Result<()> {
        let system = |errno| Error::system("write", &entry.path, errno);
        if let Some(map) = &entry.map {
            self.write_parts(file, entry, map, reader)?;
            return self.checksums.as_mut().map_or(Ok(()), |sums| sums.note(file, None));
        }
        let Some(checksums) = &mut self.checksums else {
            return reader.body(&mut |bytes| write_all(file, bytes).map_err(system));
        };
        let mut sum = Crc::new();
        reader.body(&mut |bytes| {
            sum.update(bytes);
            write_all(file, bytes).map_err(system)
        })?;
        checksums.note(file, Some(sum.finalize()))
    }

    /// Writes stored bytes at the offsets of the map; the rest stays a hole.
    fn write_parts(
        &self,
        file: &OwnedFd,
        entry: &Entry,
        map: &[(u64, u64)],
        reader: &mut Reader<'_>,
    ) -> Result<()> {
        let system = |errno| Error::system("write", &entry.path, errno);
        let mut places = map.iter();
        let (mut offset, mut left) = (0, 0);
        reader.body(&mut |mut bytes| {
            self.stop.check()?;
            while !bytes.is_empty() {
                if left == 0 {
                    // The map was validated: it covers exactly the stored bytes.
                    let Some(place) = places.next() else { return Ok(()) };
                    (offset, left) = *place;
                }
                let count = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let written = rustix::io::pwrite(file, &bytes[..count], offset).map_err(system)?;
                offset += written as u64;
                left -= written as u64;
                bytes = &bytes[written..];
            }
            Ok(())
        })?;
        rustix::fs::ftruncate(file, entry.size)
            .map_err(|errno| Error::system("ftruncate", &entry.path, errno))
    }

    fn directory(&mut self, parent: &Directory, name: &[u8], parts: &[&[u8]], entry: &Entry) -> Result<()> {
        let mode = Mode::from_raw_mode(0o700);
        if self.is_kept_link(parent, name, parts)? {
            return Ok(());
        }
        let merged = match rustix::fs::statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) if FileType::from_raw_mode(status.st_mode) == FileType::Directory => true,
            // SECURITY: a link is replaced, not followed to its target (CVE-2026-33056).
            _ => {
                self.replace(parent, name, entry, "mkdirat", || rustix::fs::mkdirat(&parent.fd, name, mode))?;
                false
            }
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(&parent.fd, name, flags, Mode::empty())
            .map_err(|errno| creation_error("openat", entry, errno))?;
        self.directory_attributes(directory.as_fd(), parts.join(&b'/'), entry, merged)
    }

    /// COMPAT(umoci): with `keep_dirlinks` a link to a directory and its target stay unchanged: the entry's attributes
    /// are ignored. The link is resolved inside the root, like any other parent.
    fn is_kept_link(&mut self, parent: &Directory, name: &[u8], parts: &[&[u8]]) -> Result<bool> {
        if !self.policy.keep_dirlinks {
            return Ok(false);
        }
        let status = rustix::fs::statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_link = status.is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::Symlink);
        Ok(is_link && self.tree.find(parts)?.is_some())
    }

    fn directory_attributes(
        &mut self,
        fd: BorrowedFd<'_>,
        path: Vec<u8>,
        entry: &Entry,
        merged: bool,
    ) -> Result<()> {
        if merged {
            clear_xattrs(fd, &entry.path)?;
        }
        if self.owners.is_some() {
            self.own_later(fd, entry)?;
        } else {
            change_owner(fd, Carrier::Open, entry, &self.policy, &mut self.report)?;
        }
        set_xattrs(fd, Carrier::Open, entry, &self.policy, &mut self.report)?;
        let inode = rustix::fs::fstat(fd).map_err(|errno| Error::system("fstat", &entry.path, errno))?.st_ino;
        self.tree.look_again(&path);
        let path = self.tree.real_path(fd).unwrap_or(path);
        let acls = take_acls(fd, entry)?;
        self.directories.insert(inode, Deferred { acls, ..Deferred::new(path, entry.mode, entry.mtime) });
        Ok(())
    }

    fn symlink(&mut self, parent: &Directory, name: &[u8], target: &[u8], entry: &Entry) -> Result<()> {
        if target.is_empty() || target.contains(&0) {
            return Err(Error::invalid(format!("{}: a link without a valid target", display(&entry.path))));
        }
        self.replace(parent, name, entry, "symlinkat", || rustix::fs::symlinkat(target, &parent.fd, name))?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = rustix::fs::openat(&parent.fd, name, flags, Mode::empty())
            .map_err(|errno| Error::system("openat", &entry.path, errno))?;
        self.own(parent, link.as_fd(), Carrier::Handle, entry)?;
        set_xattrs(link.as_fd(), Carrier::Handle, entry, &self.policy, &mut self.report)?;
        rustix::fs::utimensat(&parent.fd, name, &timestamps(entry.mtime), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| Error::system("utimensat", &entry.path, errno))
    }

    /// Sets owners, and modes and times of directories, deepest first.
    pub fn finish(mut self) -> Result<Report> {
        let (policy, report) = (self.policy.owners, &mut self.report);
        let Some((owners, mut pending)) = self.owners else {
            finish_directories(&mut self.tree, self.directories, &mut |_, _| Ok(()))?;
            return Ok(self.report);
        };
        pending.give_files(
            owners,
            &self.tree,
            |inode| self.directories.contains_key(&inode),
            policy,
            report,
        )?;
        finish_directories(&mut self.tree, self.directories, &mut |inode, directory| {
            pending.give_directory(owners, inode, directory, policy, report)
        })?;
        Ok(self.report)
    }

    /// The remaining work for a layer that was applied by itself.
    pub fn unsettled(self) -> Unsettled {
        let mut claims = self.claims.unwrap_or_default();
        for path in &self.tree.replaced {
            let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
            claims.add(Claim::of_path(&parts));
        }
        Unsettled {
            claims,
            implied: self.tree.implied,
            directories: self.directories,
            links: self.awaiting,
            root_described: self.root_described,
            report: self.report,
            checksums: self.checksums.unwrap_or_default(),
        }
    }
}

pub(super) fn creation_error(call: &'static str, entry: &Entry, errno: Errno) -> Error {
    Error::system(call, &entry.path, errno)
}

fn write_all(file: &OwnedFd, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
