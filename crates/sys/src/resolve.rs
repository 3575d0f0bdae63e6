//! The one resolver for paths inside a container's root: `openat2(2)` with RESOLVE_IN_ROOT, and directories made one
//! component at a time by descriptor.
//!
//! The tree below `root` is hostile: links in it may point anywhere, and other processes may swap names while we
//! walk.
//! SECURITY: nothing here ever opens or creates by a path string that was checked before (CVE-2021-30465,
//! CVE-2024-45310).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use crate::call::{OrError, describe};
use crate::file::{self, Kind};
use crate::{Error, Result};

/// The kernel's own limit of links in one path.
const MAX_LINKS: usize = 40;
/// EAGAIN tells that a rename somewhere got in the way; an attacker can do that for ever.
const MAX_RETRIES: usize = 128;
/// Longest path the kernel takes, and with it the bound of our own walk.
const PATH_MAX: usize = libc::PATH_MAX as usize;

fn open_flags(flags: i32) -> OFlags {
    let flags = OFlags::from_bits_retain(flags as u32) | OFlags::CLOEXEC;
    // O_NOCTTY is EINVAL beside O_PATH, unlike with open(2).
    if flags.contains(OFlags::PATH) { flags } else { flags | OFlags::NOCTTY }
}

fn raw_openat2(
    dir: BorrowedFd<'_>,
    path: impl rustix::path::Arg,
    flags: OFlags,
    resolve: ResolveFlags,
) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat2(dir, path, flags, Mode::empty(), resolve)
}

fn openat2(
    dir: BorrowedFd<'_>,
    path: impl AsRef<[u8]>,
    flags: i32,
    resolve: ResolveFlags,
) -> Result<OwnedFd> {
    let (flags, path) = (open_flags(flags), path.as_ref());
    let mut attempt = 0;
    loop {
        match raw_openat2(dir, path, flags, resolve) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) if attempt < MAX_RETRIES => attempt += 1,
            other => {
                let shown = || String::from_utf8_lossy(path).into_owned();
                return other
                    .or_error("openat2", || {
                        let (flags, resolve) = (flags.bits(), resolve.bits());
                        let shown = shown();
                        format!("{}, {shown:?}, {{flags={flags:#o}, resolve={resolve:#x}}}", describe(dir))
                    })
                    .map_err(|error| error.on(shown()));
            }
        }
    }
}

/// Opens `path` below `root`: links are followed, but as if `root` were `/`, and never a magic link of procfs.
/// `flags` are O_*; O_CLOEXEC is added, and O_NOCTTY where it matters. Linux 5.6.
pub fn open_in_root(root: BorrowedFd<'_>, path: &str, flags: i32) -> Result<OwnedFd> {
    openat2(root, nonempty(path), flags, ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
}

/// The same for a path that may be missing: `None` for ENOENT and ENOTDIR.
pub fn find_in_root(root: BorrowedFd<'_>, path: &str, flags: i32) -> Result<Option<OwnedFd>> {
    // The plain call first: most often nothing is missing, and an error with its words is not needed.
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    match raw_openat2(root, nonempty(path), open_flags(flags), resolve) {
        Ok(fd) => return Ok(Some(fd)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(_) => {}
    }
    match open_in_root(root, path, flags) {
        Err(error) if matches!(error.errno(), libc::ENOENT | libc::ENOTDIR) => Ok(None),
        other => other.map(Some),
    }
}

/// The same, but any link on the way is ELOOP.
pub fn open_in_root_plain(root: BorrowedFd<'_>, path: &str, flags: i32) -> Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    openat2(root, nonempty(path), flags, resolve)
}

/// Opens `path` below `dir` without any link, mount point or `..` that leaves it: for files of a procfs that we trust.
/// An over-mounted file is EXDEV.
pub fn open_beneath(dir: BorrowedFd<'_>, path: &str, flags: i32) -> Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_XDEV
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_SYMLINKS;
    openat2(dir, path, flags, resolve)
}

/// Opens `path`, of any bytes, below `dir`; any link on the way, the last one too unless `flags` keep it (O_PATH with
/// O_NOFOLLOW), is ELOOP.
pub fn open_beneath_plain(dir: BorrowedFd<'_>, path: &[u8], flags: i32) -> Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
    openat2(dir, path, flags, resolve)
}

/// Opens `path` as the kernel looks up a program of this process, from its own root and directory, but no magic link of
/// procfs (`/proc/self/fd/3`, `/proc/1/root`) is followed: those are ELOOP. For a process that is in its final root.
pub fn open_without_magic_links(path: &str, flags: i32) -> Result<OwnedFd> {
    openat2(file::CWD, path, flags, ResolveFlags::NO_MAGICLINKS)
}

fn nonempty(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

/// Opens the directory `path` below `root` (O_PATH), making what is missing with `mode`.
pub fn make_directories(root: BorrowedFd<'_>, path: &str, mode: u32) -> Result<OwnedFd> {
    match find_in_root(root, path, libc::O_PATH | libc::O_DIRECTORY)? {
        Some(found) => Ok(found),
        None => make(root, path, Leaf::Directory, mode),
    }
}

/// Opens whatever is at `path` below `root` (O_PATH), or makes an empty file there, with the directories above it
/// (0755).
pub fn make_file(root: BorrowedFd<'_>, path: &str, mode: u32) -> Result<OwnedFd> {
    match find_in_root(root, path, libc::O_PATH)? {
        Some(found) => Ok(found),
        None => make(root, path, Leaf::File, mode),
    }
}

/// Makes what is missing. Most often that is only the last name.
fn make(root: BorrowedFd<'_>, path: &str, leaf: Leaf, mode: u32) -> Result<OwnedFd> {
    if let Some((parent, name)) = split(path)
        && let Some(parent) = find_in_root(root, parent, libc::O_PATH | libc::O_DIRECTORY)?
    {
        let made = open_or_make(parent.as_fd(), name, leaf, mode)?;
        let kind = file::status(made.as_fd())?.kind;
        if kind == Kind::Directory || leaf == Leaf::File && kind != Kind::Symlink {
            return Ok(made);
        }
    }
    Walk::new(root, path)?.run(leaf, mode)
}

/// Parent and last name, where that is a plain name.
fn split(path: &str) -> Option<(&str, &str)> {
    let trimmed = path.trim_end_matches('/');
    let (parent, name) = trimmed.rsplit_once('/').unwrap_or(("", trimmed));
    if matches!(name, "" | "." | "..") { None } else { Some((nonempty(parent), name)) }
}

fn open_or_make(dir: BorrowedFd<'_>, name: &str, leaf: Leaf, mode: u32) -> Result<OwnedFd> {
    for _ in 0..MAX_RETRIES {
        let made = match leaf {
            Leaf::File => {
                let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
                file::open_at(dir, name, flags, mode).map(drop)
            }
            Leaf::Directory => file::make_directory(dir, name, mode),
        };
        match made {
            Err(error) if error.errno() != libc::EEXIST => return Err(error),
            _ => {}
        }
        match file::open_at(dir, name, libc::O_PATH | libc::O_NOFOLLOW, 0) {
            // Another process took it away again.
            Err(error) if error.errno() == libc::ENOENT => {}
            other => return other,
        }
    }
    Err(Error::new("openat", format!("{}, {name:?}", describe(dir)), libc::EAGAIN).on(name))
}

/// The directory of `path` below `root` (made with 0755 where missing) and the last name, which is not looked at.
pub fn make_parent<'p>(root: BorrowedFd<'_>, path: &'p str) -> Result<(OwnedFd, &'p str)> {
    let Some((parent, name)) = split(path) else {
        let arguments = format!("{}, {path:?}", describe(root));
        return Err(Error::new("openat2", arguments, libc::EINVAL).on(path));
    };
    Ok((make_directories(root, parent, 0o755)?, name))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaf {
    Directory,
    File,
}

/// A walk that makes what is missing. Links are read and resolved here, as the kernel cannot create through a link
/// whose target does not exist yet, and images have such links (`/var/run` to a `/run` that is not there).
struct Walk<'r> {
    root: BorrowedFd<'r>,
    /// Where we are, and by which plain names we came here from `root` (for `..`).
    here: OwnedFd,
    names: Vec<String>,
    /// What is left, last component first.
    rest: Vec<String>,
    links: usize,
    path: String,
}

impl<'r> Walk<'r> {
    fn new(root: BorrowedFd<'r>, path: &str) -> Result<Self> {
        let here = open_in_root_plain(root, "/", libc::O_PATH | libc::O_DIRECTORY)?;
        let mut walk = Self { root, here, names: vec![], rest: vec![], links: 0, path: path.to_owned() };
        walk.push(path)?;
        Ok(walk)
    }

    fn failure(&self, errno: i32) -> Error {
        Error::new("openat2", format!("{}, {:?}", describe(self.root), self.path), errno).on(&self.path)
    }

    fn push(&mut self, path: &str) -> Result<()> {
        self.rest.extend(path.split('/').filter(|part| !matches!(*part, "" | ".")).rev().map(str::to_owned));
        if self.rest.len() > PATH_MAX { Err(self.failure(libc::ENAMETOOLONG)) } else { Ok(()) }
    }

    fn run(mut self, leaf: Leaf, mode: u32) -> Result<OwnedFd> {
        while let Some(name) = self.rest.pop() {
            if name == ".." {
                self.names.pop();
                self.reopen()?;
                continue;
            }
            let leaf = if self.rest.is_empty() { leaf } else { Leaf::Directory };
            let found = self.step(&name, leaf, mode)?;
            match file::status(found.as_fd())?.kind {
                Kind::Symlink => self.follow(found.as_fd())?,
                Kind::Directory => {
                    self.here = found;
                    self.names.push(name);
                }
                _ if leaf == Leaf::File => return Ok(found),
                _ => return Err(self.failure(libc::ENOTDIR)),
            }
        }
        Ok(self.here)
    }

    fn step(&self, name: &str, leaf: Leaf, mode: u32) -> Result<OwnedFd> {
        match file::open_at(self.here.as_fd(), name, libc::O_PATH | libc::O_NOFOLLOW, 0) {
            Err(error) if error.errno() == libc::ENOENT => {
                open_or_make(self.here.as_fd(), name, leaf, mode).map_err(|error| error.on(&self.path))
            }
            other => other,
        }
    }

    fn follow(&mut self, link: BorrowedFd<'_>) -> Result<()> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(self.failure(libc::ELOOP));
        }
        let target = file::read_link(link, "")?;
        if target.starts_with('/') {
            self.names.clear();
            self.reopen()?;
        }
        self.push(&target)
    }

    /// `..` is taken from the names, not from the directory: it may have been moved out of the root meanwhile.
    fn reopen(&mut self) -> Result<()> {
        let path = format!("/{}", self.names.join("/"));
        self.here = open_in_root_plain(self.root, &path, libc::O_PATH | libc::O_DIRECTORY)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
