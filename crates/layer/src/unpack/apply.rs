//! One entry after another onto the tree. A directory on a directory merges; anything else replaces what was there.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, XattrFlags};
use rustix::io::Errno;

use super::alone::{Claim, Unsettled};
use super::attributes::{
    Carrier, change_mode_of_handle, change_owner, clear_acls, clear_xattrs, set_xattrs, take_acls, timestamps,
};
use super::policy::{Fallback, Policy, Report};
use super::tree::{Directory, Tree, components};
use super::whiteout::{self, Marker};
use crate::chunk::Source;
use crate::error::display;
use crate::tar::{Entry, EntryKind, Reader, Time};
use crate::{Error, Kind, Limits, Result, Stop};

pub struct Applier<'r> {
    tree: Tree<'r>,
    limits: Limits,
    policy: Policy,
    stop: Stop,
    layers: usize,
    /// Modes and times of directories, set at the very end: until then all must stay writable, and every new entry
    /// would change the time. By inode, so that a directory that was replaced is not mistaken for the new one.
    directories: HashMap<u64, Deferred>,
    /// Hard links whose target has not come yet, of the layer at work.
    links: Vec<Entry>,
    /// With a layer that is unpacked by itself: its whiteouts, for whoever knows the layers below.
    claims: Option<Vec<Claim>>,
    root_described: bool,
    /// Effective user and group of this process.
    ids: (u32, u32),
    pub report: Report,
}

/// Mode and time of a directory, for the end.
pub struct Deferred {
    pub path: Vec<u8>,
    pub mode: u32,
    pub mtime: Time,
    /// Access control lists, by the names of their attributes.
    pub acls: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Deferred {
    pub fn new(path: Vec<u8>, mode: u32, mtime: Time) -> Self {
        Self { path, mode, mtime, acls: Vec::new() }
    }
}

impl<'r> Applier<'r> {
    pub fn new(root: BorrowedFd<'r>, limits: Limits, policy: Policy, stop: Stop) -> Result<Self> {
        let inode = rustix::fs::fstat(root).map_err(|errno| Error::system("fstat", b"/", errno))?.st_ino;
        clear_acls(root)?; // what it inherited, everything in it would inherit
        let root_attributes = Deferred::new(Vec::new(), 0o755, Time::default());
        Ok(Self {
            tree: Tree::new(root),
            limits,
            policy,
            stop,
            layers: 0,
            directories: HashMap::from([(inode, root_attributes)]),
            links: Vec::new(),
            claims: None,
            root_described: false,
            ids: (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
            report: Report::default(),
        })
    }

    /// For one layer by itself: what it says of layers below it is not applied but handed out by [`Self::unsettled`].
    pub fn alone(root: BorrowedFd<'r>, limits: Limits, policy: Policy, stop: Stop) -> Result<Self> {
        Ok(Self { claims: Some(Vec::new()), ..Self::new(root, limits, policy, stop)? })
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
                if self.claims.is_some() {
                    self.links.push(entry); // a layer below may have it
                    continue;
                }
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

    fn entry(&mut self, entry: Entry, reader: &mut Reader<'_>) -> Result<()> {
        let limits = self.limits;
        let parts = components(&entry.path, &limits)?;
        match whiteout::marker(&parts, &entry.path)? {
            Marker::None => {}
            marker => {
                let parents = &parts[..parts.len() - 1];
                let Some(claims) = &mut self.claims else {
                    return whiteout::apply(&mut self.tree, parents, &marker);
                };
                claims.extend(Claim::of(parents, &marker));
                return Ok(());
            }
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
                self.links.push(entry);
            }
            return Ok(());
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

    /// The directory for a new entry. One that is made for it is not what had its inode number before.
    fn parent(&mut self, path: &[&[u8]]) -> Result<Rc<Directory>> {
        let known = self.tree.implied.len();
        let parent = self.tree.make(path)?;
        for path in &self.tree.implied[known..] {
            let system = |call, errno| Error::system(call, path, errno);
            let made = self.tree.open_entry(path, OFlags::PATH).map_err(|errno| system("openat2", errno))?;
            let status = rustix::fs::fstat(&made).map_err(|errno| system("fstat", errno))?;
            self.directories.remove(&status.st_ino);
        }
        Ok(parent)
    }

    /// SECURITY: the root may only ever be a directory (CVE-2021-29136).
    fn root(&mut self, entry: &Entry) -> Result<()> {
        if entry.kind != EntryKind::Directory {
            return Err(Error::new(Kind::Unsafe, "the archive would replace the root directory")
                .on(display(&entry.path)));
        }
        self.root_described = true;
        let root = self.tree.root();
        self.directory_attributes(root, Vec::new(), entry, true)
    }

    /// Creates with `create`; what is in the way is removed first.
    fn replace<T>(
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
            // What this layer had put there first hid what is below.
            claims.extend(Claim::of_path(&components(&entry.path, &self.limits)?));
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
        self.report.bytes = self.report.bytes.saturating_add(entry.size);
        Limits::check("bytes", self.report.bytes, self.limits.bytes)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let file = self
            .replace(parent, name, entry, "openat", || rustix::fs::openat(&parent.fd, name, flags, mode))?;
        self.write(&file, entry, reader)?;
        self.own(parent, file.as_fd(), Carrier::Open, entry)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(entry.mode))
            .map_err(|errno| Error::system("fchmod", &entry.path, errno))?;
        set_xattrs(file.as_fd(), Carrier::Open, entry, &self.policy, &mut self.report)?;
        rustix::fs::futimens(&file, &timestamps(entry.mtime))
            .map_err(|errno| Error::system("futimens", &entry.path, errno))
    }

    /// Gives what was just made in `parent` to its owner, unless it was born that way: with our uid, and with our gid or
    /// that of the directory (set-gid, mount option grpid).
    fn own(&mut self, parent: &Directory, fd: BorrowedFd<'_>, carrier: Carrier, entry: &Entry) -> Result<()> {
        if !self.policy.rootless && (entry.uid, entry.gid) == self.ids && parent.gid == entry.gid {
            return Ok(());
        }
        change_owner(fd, carrier, entry, &self.policy, &mut self.report)
    }

    fn write(&self, file: &OwnedFd, entry: &Entry, reader: &mut Reader<'_>) -> Result<()> {
        let system = |errno| Error::system("write", &entry.path, errno);
        let Some(map) = &entry.map else {
            return reader.body(&mut |bytes| write_all(file, bytes).map_err(system));
        };
        // Stored bytes go to the places the map names; the rest stays a hole.
        let mut places = map.iter();
        let (mut offset, mut left) = (0, 0);
        reader.body(&mut |mut bytes| {
            self.stop.check()?;
            while !bytes.is_empty() {
                if left == 0 {
                    // The map was checked: it describes exactly the stored bytes.
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
        let merged = match rustix::fs::statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) if FileType::from_raw_mode(status.st_mode) == FileType::Directory => true,
            // SECURITY: a link is replaced, not followed to the directory it names (CVE-2026-33056).
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
        change_owner(fd, Carrier::Open, entry, &self.policy, &mut self.report)?;
        set_xattrs(fd, Carrier::Open, entry, &self.policy, &mut self.report)?;
        let inode = rustix::fs::fstat(fd).map_err(|errno| Error::system("fstat", &entry.path, errno))?.st_ino;
        self.tree.look_again(&path);
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

    /// Devices and FIFOs.
    fn special(&mut self, parent: &Directory, name: &[u8], entry: &Entry) -> Result<()> {
        let (kind, what, (major, minor)) = match entry.kind {
            EntryKind::CharDevice(major, minor) => {
                (FileType::CharacterDevice, "character device", (major, minor))
            }
            EntryKind::BlockDevice(major, minor) => (FileType::BlockDevice, "block device", (major, minor)),
            _ => (FileType::Fifo, "FIFO", (0, 0)),
        };
        // The kernel has 12 bits for the major and 20 for the minor number; more would be cut.
        if major >= 1 << 12 || minor >= 1 << 20 {
            return Err(Error::invalid(format!(
                "{}: device {major}:{minor} is out of range",
                display(&entry.path)
            )));
        }
        // SECURITY: to overlayfs this is a whiteout, and an image says that with a name.
        if self.claims.is_some() && kind == FileType::CharacterDevice && (major, minor) == (0, 0) {
            self.tree.remove(parent.fd.as_fd(), name)?;
            self.report.skip(
                &entry.path,
                "device",
                "character device 0:0 means a whiteout on overlays".to_owned(),
            );
            return Ok(());
        }
        let mode = Mode::from_raw_mode(0o600);
        let device = rustix::fs::makedev(major, minor);
        let is_device = kind != FileType::Fifo;
        let made = if is_device && self.policy.rootless {
            Err(Errno::PERM)
        } else {
            match rustix::fs::mknodat(&parent.fd, name, kind, mode, device) {
                Err(Errno::EXIST) => {
                    self.tree.remove(parent.fd.as_fd(), name)?;
                    rustix::fs::mknodat(&parent.fd, name, kind, mode, device)
                }
                other => other,
            }
        };
        match made {
            Ok(()) => {}
            Err(Errno::PERM) if is_device => {
                return self.without_device(parent, name, entry, what, major, minor);
            }
            Err(errno) => return Err(creation_error("mknodat", entry, errno)),
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let node = rustix::fs::openat(&parent.fd, name, flags, Mode::empty())
            .map_err(|errno| Error::system("openat", &entry.path, errno))?;
        self.own(parent, node.as_fd(), Carrier::Handle, entry)?;
        let status = rustix::fs::fstat(&node).map_err(|errno| Error::system("fstat", &entry.path, errno))?;
        if FileType::from_raw_mode(status.st_mode) != kind {
            return Err(Error::new(
                Kind::Unsafe,
                format!("{} was replaced while it was made", display(&entry.path)),
            ));
        }
        change_mode_of_handle(node.as_fd(), entry.mode)
            .map_err(|errno| Error::system("chmod", &entry.path, errno))?;
        set_xattrs(node.as_fd(), Carrier::Handle, entry, &self.policy, &mut self.report)?;
        rustix::fs::utimensat(&parent.fd, name, &timestamps(entry.mtime), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| Error::system("utimensat", &entry.path, errno))
    }

    fn without_device(
        &mut self,
        parent: &Directory,
        name: &[u8],
        entry: &Entry,
        what: &str,
        major: u32,
        minor: u32,
    ) -> Result<()> {
        let shown = format!("{what} {major}:{minor}");
        match self.policy.devices {
            Fallback::Error => Err(Error::system("mknodat", &entry.path, Errno::PERM)
                .hint("an ordinary user cannot make devices; use devices: 'skip' or 'placeholder'")),
            Fallback::Skip => {
                // What a lower layer had under this name is gone all the same.
                self.tree.remove(parent.fd.as_fd(), name)?;
                self.report.skip(&entry.path, "device", format!("{shown} is left out"));
                Ok(())
            }
            Fallback::Placeholder => {
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mode = Mode::empty();
                self.replace(parent, name, entry, "openat", || {
                    rustix::fs::openat(&parent.fd, name, flags, mode)
                })?;
                self.report.skip(&entry.path, "device", format!("{shown} is an empty file"));
                Ok(())
            }
        }
    }

    /// False where the target is not there (yet).
    fn hard_link(&mut self, entry: &Entry) -> Result<bool> {
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
        self.tree.place(&parent, to_name);
        Ok(true)
    }

    /// Modes and times of directories, deepest first.
    pub fn finish(mut self) -> Result<Report> {
        finish_directories(&mut self.tree, self.directories)?;
        Ok(self.report)
    }

    /// What is left to do for a layer that was applied by itself.
    pub fn unsettled(self) -> Unsettled {
        let mut claims = self.claims.unwrap_or_default();
        claims.extend(self.tree.replaced.iter().filter_map(|path| {
            let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
            Claim::of_path(&parts)
        }));
        Unsettled {
            claims,
            implied: self.tree.implied,
            directories: self.directories,
            links: self.links,
            root_described: self.root_described,
            report: self.report,
        }
    }
}

/// Gives directories their modes and times, deepest first; those that came without an entry what is usual.
pub fn finish_directories(tree: &mut Tree<'_>, mut directories: HashMap<u64, Deferred>) -> Result<()> {
    for path in std::mem::take(&mut tree.implied) {
        let Ok(fd) = tree.open_entry(&path, OFlags::PATH | OFlags::DIRECTORY) else { continue };
        let inode = rustix::fs::fstat(&fd).map_err(|errno| Error::system("fstat", &path, errno))?.st_ino;
        let deferred = Deferred::new(path, 0o755, Time::default());
        directories.entry(inode).or_insert(deferred);
    }
    let mut directories: Vec<_> = directories.into_iter().collect();
    directories.sort_by(|(_, a), (_, b)| b.path.cmp(&a.path));
    for (inode, Deferred { path, mode, mtime, acls }) in directories {
        let system = |call, errno| Error::system(call, &path, errno);
        let directory = match tree.open_entry(&path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue, // a later layer removed it
            Err(errno) => return Err(system("openat2", errno)),
        };
        if rustix::fs::fstat(&directory).map_err(|errno| system("fstat", errno))?.st_ino != inode {
            continue;
        }
        rustix::fs::fchmod(&directory, Mode::from_raw_mode(mode)).map_err(|errno| system("fchmod", errno))?;
        for (name, value) in acls {
            rustix::fs::fsetxattr(&directory, name.as_slice(), &value, XattrFlags::empty())
                .map_err(|errno| system("fsetxattr", errno))?;
        }
        rustix::fs::futimens(&directory, &timestamps(mtime)).map_err(|errno| system("futimens", errno))?;
    }
    Ok(())
}

fn creation_error(call: &'static str, entry: &Entry, errno: Errno) -> Error {
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
