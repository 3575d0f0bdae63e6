//! Directories below the root, by descriptor. Each change of directory costs one `openat2`; the last few stay open.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::attributes::of_handle;
use super::remove::{children, remove_tree};
use crate::error::display;
use crate::openat2::openat2;
use crate::{Error, Kind, Limits, Result, Stop};

/// Number of open directories. Archives are depth first, so few are enough.
const MAX_CACHED: usize = 64;
const MAX_LINKS: usize = 40;
const PATH_MAX: usize = 4096;
const HANDLE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

pub struct Directory {
    pub fd: OwnedFd,
    pub inode: u64,
    /// Group that new files may inherit.
    pub gid: u32,
}

pub struct Tree<'r> {
    root: BorrowedFd<'r>,
    cache: HashMap<Vec<u8>, Rc<Directory>>,
    /// Names that the current layer has placed: inode of the directory, name. Not recorded for the first layer, which
    /// has no lower layers to hide.
    placed: Option<HashMap<u64, HashSet<Vec<u8>>>>,
    /// Whiteouts already applied for this layer: inode of the directory, and the name, or empty for all.
    hidden: HashSet<(u64, Vec<u8>)>,
    stop: Stop,
    /// Directories created for entries whose parent has no entry.
    pub implied: Vec<Vec<u8>>,
    /// Those of `implied` that replaced another file.
    pub replaced: Vec<Vec<u8>>,
}

/// `path` as plain components: `.` and empty components are dropped, `..` is resolved lexically and clamped at the
/// root.
pub fn components<'p>(path: &'p [u8], limits: &Limits) -> Result<Vec<&'p [u8]>> {
    if path.contains(&0) {
        return Err(Error::invalid("a path in the archive contains a NUL byte"));
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    Limits::check("components in a path", parts.len() as u64, limits.depth as u64)?;
    Limits::check("bytes in a path", path.len() as u64, PATH_MAX as u64 - 1)?;
    Ok(parts)
}

impl<'r> Tree<'r> {
    pub fn new(root: BorrowedFd<'r>, stop: Stop) -> Self {
        Self {
            root,
            cache: HashMap::new(),
            placed: None,
            hidden: HashSet::new(),
            stop,
            implied: Vec::new(),
            replaced: Vec::new(),
        }
    }

    /// The real path of a file below the root: the links that led to it may be replaced before the end. `None` if the
    /// kernel cannot tell (no procfs, a path that is too long).
    pub fn real_path(&self, file: BorrowedFd<'_>) -> Option<Vec<u8>> {
        let path =
            |fd| rustix::fs::readlink(of_handle(fd), Vec::new()).ok().map(std::ffi::CString::into_bytes);
        let (root, file) = (path(self.root)?, path(file)?);
        let rest = file.strip_prefix(root.as_slice())?;
        if rest.is_empty() { Some(Vec::new()) } else { rest.strip_prefix(b"/").map(<[u8]>::to_vec) }
    }

    pub fn root(&self) -> BorrowedFd<'r> {
        self.root
    }

    /// From now on names are recorded, for the whiteouts of this layer.
    pub fn begin_layer(&mut self, first: bool) {
        self.placed = (!first).then(HashMap::new);
        self.hidden.clear();
    }

    /// Whether a lower layer exists that a whiteout could hide.
    pub fn has_lower(&self) -> bool {
        self.placed.is_some()
    }

    /// The owner of a directory has changed: drops the cached descriptor.
    pub fn look_again(&mut self, path: &[u8]) {
        self.cache.remove(path);
    }

    pub fn place(&mut self, directory: &Directory, name: &[u8]) {
        if let Some(placed) = &mut self.placed {
            placed.entry(directory.inode).or_default().insert(name.to_vec());
        }
    }

    fn is_placed(&self, inode: u64, name: &[u8]) -> bool {
        self.placed.as_ref().and_then(|placed| placed.get(&inode)).is_some_and(|names| names.contains(name))
    }

    /// The directory `path`, with links followed as if the root were `/`. `None` if it is missing.
    pub fn find(&mut self, path: &[&[u8]]) -> Result<Option<Rc<Directory>>> {
        let key = path.join(&b'/');
        if let Some(found) = self.cache.get(&key) {
            return Ok(Some(Rc::clone(found)));
        }
        match self.open(&key) {
            Ok(fd) => self.remember(key, fd).map(Some),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(Error::system("openat2", &key, errno)),
        }
    }

    /// The directory `path`, created if missing. Anything other than a directory on the way is replaced.
    pub fn make(&mut self, path: &[&[u8]]) -> Result<Rc<Directory>> {
        if let Some(found) = self.find(path)? {
            return Ok(found);
        }
        let fd = self.walk(path)?;
        self.remember(path.join(&b'/'), fd)
    }

    fn open(&self, path: &[u8]) -> rustix::io::Result<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        openat2(self.root, path, HANDLE, resolve)
    }

    fn remember(&mut self, key: Vec<u8>, fd: OwnedFd) -> Result<Rc<Directory>> {
        let status = rustix::fs::fstat(&fd).map_err(|errno| Error::system("fstat", &key, errno))?;
        let directory = Rc::new(Directory { fd, inode: status.st_ino, gid: status.st_gid });
        if self.cache.len() >= MAX_CACHED {
            self.cache.clear();
        }
        self.cache.insert(key, Rc::clone(&directory));
        Ok(directory)
    }

    /// Component by component; links are resolved here, as their targets may have to be created too.
    fn walk(&mut self, path: &[&[u8]]) -> Result<OwnedFd> {
        let shown = path.join(&b'/');
        let system = |call, errno| Error::system(call, &shown, errno);
        let mut rest: Vec<Vec<u8>> = path.iter().rev().map(|part| part.to_vec()).collect();
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut here = self.open(b"").map_err(|errno| system("openat2", errno))?;
        let mut links = 0;
        while let Some(name) = rest.pop() {
            if name == b".." {
                // Goes back by name, not by directory: it may have been moved out of the root.
                names.pop();
                here = self.open(&names.join(&b'/')).map_err(|errno| system("openat2", errno))?;
                continue;
            }
            let status = match rustix::fs::statat(&here, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(status) => Some(FileType::from_raw_mode(status.st_mode)),
                Err(Errno::NOENT) => None,
                Err(errno) => return Err(system("fstatat", errno)),
            };
            match status {
                Some(FileType::Symlink) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Error::new(Kind::Unsafe, format!("{}: too many links", display(&shown))));
                    }
                    let target = rustix::fs::readlinkat(&here, &name, Vec::new())
                        .map_err(|errno| system("readlinkat", errno))?
                        .into_bytes();
                    if target.starts_with(b"/") {
                        names.clear();
                        here = self.open(b"").map_err(|errno| system("openat2", errno))?;
                    }
                    let parts =
                        target.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
                    rest.extend(parts.rev().map(<[u8]>::to_vec));
                    Limits::check("components in the target of a link", rest.len() as u64, PATH_MAX as u64)?;
                    continue;
                }
                Some(FileType::Directory) => {}
                Some(_) => {
                    self.remove(here.as_fd(), &name)?;
                    self.make_implied(here.as_fd(), &names, &name)?;
                    self.replaced.extend(self.implied.last().cloned());
                }
                None => self.make_implied(here.as_fd(), &names, &name)?,
            }
            here = rustix::fs::openat(&here, &name, HANDLE | OFlags::NOFOLLOW, Mode::empty())
                .map_err(|errno| system("openat", errno))?;
            names.push(name);
        }
        Ok(here)
    }

    fn make_implied(&mut self, parent: BorrowedFd<'_>, names: &[Vec<u8>], name: &[u8]) -> Result<()> {
        rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o700))
            .map_err(|errno| Error::system("mkdirat", name, errno))?;
        let mut path = names.join(&b'/');
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        self.implied.push(path);
        Ok(())
    }

    /// Removes `name`, whatever it is, and the cached descriptors that may refer to it.
    pub fn remove(&mut self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
        let status = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => status,
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(Error::system("fstatat", name, errno)),
        };
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Directory => {
                self.cache.clear();
                self.forget(parent, name)?;
                remove_tree(parent, name)
            }
            kind => {
                if kind == FileType::Symlink {
                    self.cache.clear();
                }
                rustix::fs::unlinkat(parent, name, AtFlags::empty())
                    .map_err(|errno| Error::system("unlinkat", name, errno))
            }
        }
    }

    /// Inode numbers are reused: records of a directory must not outlive it.
    fn forget(&mut self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
        let Some(placed) = &mut self.placed else { return Ok(()) };
        let mut pending = vec![open_directory(parent, name)?];
        while let Some(directory) = pending.pop() {
            placed.remove(&inode(directory.as_fd(), name)?);
            for child in children(directory.as_fd(), name)? {
                if is_directory(directory.as_fd(), &child)? {
                    pending.push(open_directory(directory.as_fd(), &child)?);
                }
            }
        }
        Ok(())
    }

    /// Whether this layer has not applied this whiteout before: `name` of a directory, or empty for all of it. Its own
    /// entries stay, so a duplicate would hide nothing.
    pub fn is_first(&mut self, directory: &Directory, name: &[u8]) -> bool {
        self.hidden.insert((directory.inode, name.to_vec()))
    }

    /// Removes what lower layers left in `name` and below, but keeps entries of this layer. True if anything stays.
    pub fn hide(&mut self, parent: &Directory, name: &[u8]) -> Result<bool> {
        self.stop.check()?;
        let placed = self.is_placed(parent.inode, name);
        match rustix::fs::statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) if FileType::from_raw_mode(status.st_mode) == FileType::Directory => {}
            Ok(_) if placed => return Ok(true),
            Ok(_) => {
                self.remove(parent.fd.as_fd(), name)?;
                return Ok(false);
            }
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(Error::system("fstatat", name, errno)),
        }
        let directory = open_directory(parent.fd.as_fd(), name)?;
        let inode = inode(directory.as_fd(), name)?;
        let stays = self.hide_children(&Directory { fd: directory, inode, gid: parent.gid }, name)?;
        if stays || placed {
            return Ok(true);
        }
        self.remove(parent.fd.as_fd(), name)?;
        Ok(false)
    }

    /// Like [`Self::hide`], for everything in a directory. True if anything stays.
    pub fn hide_children(&mut self, directory: &Directory, name: &[u8]) -> Result<bool> {
        let readable = open_directory(directory.fd.as_fd(), b".")?;
        let mut stays = false;
        for child in children(readable.as_fd(), name)? {
            stays |= self.hide(directory, &child)?;
        }
        Ok(stays)
    }

    /// Opens a file or directory; its parents are resolved inside the root, a link in the last component is not
    /// followed.
    pub fn open_entry(&self, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let path = if path.is_empty() { b"." } else { path };
        openat2(self.root, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, resolve)
    }
}

fn open_directory(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty())
        .map_err(|errno| Error::system("openat", name, errno))
}

fn inode(directory: BorrowedFd<'_>, name: &[u8]) -> Result<u64> {
    Ok(rustix::fs::fstat(directory).map_err(|errno| Error::system("fstat", name, errno))?.st_ino)
}

fn is_directory(parent: BorrowedFd<'_>, name: &[u8]) -> Result<bool> {
    let status = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| Error::system("fstatat", name, errno))?;
    Ok(FileType::from_raw_mode(status.st_mode) == FileType::Directory)
}
