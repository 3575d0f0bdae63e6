//! Reads a tree by descriptors. The tree is hostile: links in it may point anywhere and are never followed, and each
//! file is checked again when its content is read.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::FileType;

use super::attributes::{Owners, stays_behind};
use super::readable::{self, Unlocked};
use super::rights::Rights;
use super::subject::Subject;
use super::{Item, View};
use crate::error::display;
use crate::tar::{Entry, EntryKind, Time};
use crate::unpack::{children_of_opened, steers_overlays};
use crate::{Limits, Result, Stop};

/// Attributes that mark an opaque directory of an overlay.
pub const OVERLAY_OPAQUE: [&[u8]; 2] = [b"trusted.overlay.opaque", b"user.overlay.opaque"];

/// How to read a tree.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    pub owners: Owners,
    /// Paths, relative to the root of the tree, that are left out with everything below.
    pub exclude: Vec<Vec<u8>>,
    /// The tree is the upper directory of an overlay: its marks are kept for the caller instead of dropped.
    pub overlay: bool,
    pub limits: Limits,
    /// The rights of the ids that own the tree's files, if this process lacks them.
    pub rights: Option<Arc<dyn Rights>>,
}

impl Scan {
    /// Whether a path is excluded.
    pub fn excludes(&self, path: &[u8]) -> bool {
        self.exclude.iter().any(|exclude| {
            path.strip_prefix(exclude.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        })
    }

    /// Whether an extended attribute is read.
    fn takes(&self, name: &[u8]) -> bool {
        !stays_behind(name) || steers_overlays(name) && self.overlay
    }
}

/// The result of a scan; keeps the tree readable until dropped.
pub struct Scanned {
    pub view: View,
    /// Files that a layer cannot contain, such as sockets.
    pub warnings: Vec<String>,
    root: OwnedFd,
    rights: Option<Arc<dyn Rights>>,
    _unlocked: Vec<Unlocked>,
}

impl Scanned {
    /// Opens the file `path` for reading. Links are not followed, and a FIFO does not block.
    pub fn open(&self, path: &[u8]) -> Result<OwnedFd> {
        readable::open_file(self.root.as_fd(), path, self.rights.as_deref())
    }
}

/// Reads everything below `root`, including the root itself (as the empty path).
pub fn scan(root: OwnedFd, options: &Scan, stop: &Stop) -> Result<Scanned> {
    let mut scanner = Scanner::new(options, stop);
    let (directory, unlocked) = readable::open_directory(root.as_fd(), b".", b"/", scanner.rights())?;
    scanner.unlocked.extend(unlocked);
    let item = scanner.item(directory.as_fd(), b".", Vec::new())?;
    scanner.view.items.extend(item.map(|item| (Vec::new(), item)));
    scanner.directory(directory.as_fd(), b"", 0)?;
    let Scanner { view, warnings, unlocked, .. } = scanner;
    Ok(Scanned { view, warnings, root, rights: options.rights.clone(), _unlocked: unlocked })
}

/// Reads `name` in `parent`, which is not a directory. Its path is `name`.
pub fn scan_one(parent: OwnedFd, name: &[u8], options: &Scan, stop: &Stop) -> Result<Scanned> {
    let mut scanner = Scanner::new(options, stop);
    let item = scanner.item(parent.as_fd(), name, name.to_vec())?;
    if let Some(item) = item.filter(|item| item.entry.kind != EntryKind::Directory) {
        scanner.view.items.insert(name.to_vec(), item);
    }
    let Scanner { view, warnings, unlocked, .. } = scanner;
    Ok(Scanned { view, warnings, root: parent, rights: options.rights.clone(), _unlocked: unlocked })
}

struct Scanner<'s> {
    options: &'s Scan,
    stop: &'s Stop,
    view: View,
    warnings: Vec<String>,
    unlocked: Vec<Unlocked>,
    bytes: u64,
}

impl<'s> Scanner<'s> {
    fn new(options: &'s Scan, stop: &'s Stop) -> Self {
        let (view, warnings, unlocked) = (View::default(), Vec::new(), Vec::new());
        Self { options, stop, view, warnings, unlocked, bytes: 0 }
    }

    fn rights(&self) -> Option<&'s dyn Rights> {
        self.options.rights.as_deref()
    }

    fn directory(&mut self, directory: BorrowedFd<'_>, path: &[u8], depth: usize) -> Result<()> {
        self.stop.check()?;
        Limits::check("components in a path", depth as u64, self.options.limits.depth as u64)?;
        for name in children_of_opened(directory, path)? {
            let below = if path.is_empty() { name.clone() } else { [path, b"/", &name].concat() };
            if self.options.excludes(&below) {
                continue;
            }
            let Some(item) = self.item(directory, &name, below.clone())? else { continue };
            let is_directory = item.entry.kind == EntryKind::Directory;
            self.view.items.insert(below.clone(), item);
            Limits::check("entries", self.view.items.len() as u64, self.options.limits.entries)?;
            if is_directory {
                let (opened, unlocked) = readable::open_directory(directory, &name, &below, self.rights())?;
                self.unlocked.extend(unlocked);
                self.directory(opened.as_fd(), &below, depth + 1)?;
            }
        }
        Ok(())
    }

    /// `None` for a file that an archive cannot contain, or that was removed meanwhile.
    fn item(&mut self, parent: BorrowedFd<'_>, name: &[u8], path: Vec<u8>) -> Result<Option<Item>> {
        let Some(subject) = Subject::find(parent, name, &path, self.rights())? else {
            return Ok(None);
        };
        let status = subject.status;
        let device = (rustix::fs::major(status.st_rdev), rustix::fs::minor(status.st_rdev));
        let mut size = 0;
        let kind = match FileType::from_raw_mode(status.st_mode) {
            FileType::RegularFile => {
                size = status.st_size as u64;
                EntryKind::File
            }
            FileType::Directory => EntryKind::Directory,
            FileType::Symlink => EntryKind::Symlink(subject.link()?),
            FileType::CharacterDevice => EntryKind::CharDevice(device.0, device.1),
            FileType::BlockDevice => EntryKind::BlockDevice(device.0, device.1),
            FileType::Fifo => EntryKind::Fifo,
            _ => {
                self.warnings.push(format!("{} is a socket and was left out", display(&path)));
                return Ok(None);
            }
        };
        self.bytes = self.bytes.saturating_add(size);
        Limits::check("bytes", self.bytes, self.options.limits.bytes)?;
        let mut xattrs = subject.xattrs(|name| self.options.takes(name))?;
        let (uid, gid) = self.options.owners.of(&path, (status.st_uid, status.st_gid), &mut xattrs)?;
        let entry = Entry {
            path,
            kind,
            mode: status.st_mode & 0o7777,
            uid,
            gid,
            // Whole seconds, rounded down: archives without extended headers have no more, and a change within a second
            // shows in the content.
            mtime: Time { seconds: status.st_mtime, nanoseconds: 0 },
            stored: size,
            size,
            map: None,
            xattrs,
        };
        Ok(Some(Item { entry, file: (status.st_dev, status.st_ino), digest: None }))
    }
}
