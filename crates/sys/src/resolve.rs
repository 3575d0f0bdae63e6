//! The one resolver for paths inside a container's root: `openat2(2)` with RESOLVE_IN_ROOT, and directories made one
//! component at a time by descriptor.
//!
//! The tree below `root` is hostile: links in it may point anywhere, and other processes may swap names while we walk.
//! SECURITY: nothing here ever opens or creates by a path string that was checked before (CVE-2021-30465, CVE-2024-45310).

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

fn openat2(
    dir: BorrowedFd<'_>,
    path: &str,
    flags: i32,
    resolve: ResolveFlags,
    retries: usize,
) -> Result<OwnedFd> {
    let mut oflags = OFlags::from_bits_retain(flags as u32) | OFlags::CLOEXEC;
    if !oflags.contains(OFlags::PATH) {
        oflags |= OFlags::NOCTTY; // EINVAL beside O_PATH, unlike with open(2)
    }
    let mut attempt = 0;
    loop {
        match rustix::fs::openat2(dir, path, oflags, Mode::empty(), resolve) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) if attempt < retries => attempt += 1,
            other => {
                return other
                    .or_error("openat2", || {
                        format!(
                            "{}, {path:?}, {{flags={:#o}, resolve={:#x}}}",
                            describe(dir),
                            oflags.bits(),
                            resolve.bits()
                        )
                    })
                    .map_err(|error| error.on(path));
            }
        }
    }
}

/// Opens `path` below `root`: links are followed, but as if `root` were `/`, and never a magic link of procfs.
/// `flags` are O_*; O_CLOEXEC is added, and O_NOCTTY where it matters. Linux 5.6.
pub fn open_in_root(root: BorrowedFd<'_>, path: &str, flags: i32) -> Result<OwnedFd> {
    openat2(root, nonempty(path), flags, ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS, MAX_RETRIES)
}

/// The same, but any link on the way is ELOOP.
pub fn open_in_root_plain(root: BorrowedFd<'_>, path: &str, flags: i32) -> Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    openat2(root, nonempty(path), flags, resolve, MAX_RETRIES)
}

/// Opens `path` below `dir` without any link, mount point or `..` that leaves it: for files of a procfs that we trust.
/// An over-mounted file is EXDEV.
pub fn open_beneath(dir: BorrowedFd<'_>, path: &str, flags: i32) -> Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_XDEV
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_SYMLINKS;
    openat2(dir, path, flags, resolve, MAX_RETRIES)
}

fn nonempty(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

/// Opens the directory `path` below `root` (O_PATH), making what is missing with `mode`.
pub fn make_directories(root: BorrowedFd<'_>, path: &str, mode: u32) -> Result<OwnedFd> {
    match open_in_root(root, path, libc::O_PATH | libc::O_DIRECTORY) {
        Err(error) if error.errno() == libc::ENOENT => Walk::new(root, path)?.run(Leaf::Directory, mode),
        other => other,
    }
}

/// Opens whatever is at `path` below `root` (O_PATH), or makes an empty file there, with the directories above it (0755).
pub fn make_file(root: BorrowedFd<'_>, path: &str, mode: u32) -> Result<OwnedFd> {
    match open_in_root(root, path, libc::O_PATH) {
        Err(error) if error.errno() == libc::ENOENT => Walk::new(root, path)?.run(Leaf::File, mode),
        other => other,
    }
}

/// The directory of `path` below `root` (made with 0755 where missing) and the last name, which is not looked at.
pub fn make_parent<'p>(root: BorrowedFd<'_>, path: &'p str) -> Result<(OwnedFd, &'p str)> {
    let trimmed = path.trim_end_matches('/');
    let (parent, name) = trimmed.rsplit_once('/').unwrap_or(("", trimmed));
    if matches!(name, "" | "." | "..") {
        return Err(Error::new("openat2", format!("{}, {path:?}", describe(root)), libc::EINVAL).on(path));
    }
    Ok((make_directories(root, nonempty(parent), 0o755)?, name))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaf {
    Directory,
    File,
}

/// A walk that makes what is missing. Links are read and resolved here, as the kernel cannot create through a link whose
/// target does not exist yet, and images have such links (`/var/run` to a `/run` that is not there).
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
            let as_file = leaf == Leaf::File && self.rest.is_empty();
            let found = self.open_or_make(&name, as_file, mode)?;
            match file::status(found.as_fd())?.kind {
                Kind::Symlink => self.follow(found.as_fd())?,
                Kind::Directory => {
                    self.here = found;
                    self.names.push(name);
                }
                _ if as_file => return Ok(found),
                _ => return Err(self.failure(libc::ENOTDIR)),
            }
        }
        Ok(self.here)
    }

    fn open_or_make(&self, name: &str, as_file: bool, mode: u32) -> Result<OwnedFd> {
        for _ in 0..MAX_RETRIES {
            match file::open_at(self.here.as_fd(), name, libc::O_PATH | libc::O_NOFOLLOW, 0) {
                Err(error) if error.errno() == libc::ENOENT => {}
                other => return other,
            }
            let made = if as_file {
                let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
                file::open_at(self.here.as_fd(), name, flags, mode).map(drop)
            } else {
                file::make_directory(self.here.as_fd(), name, mode)
            };
            match made {
                // Somebody else made it, or a link appeared: look again.
                Err(error) if error.errno() != libc::EEXIST => return Err(error.on(&self.path)),
                _ => {}
            }
        }
        Err(self.failure(libc::EAGAIN))
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
