//! Layers merged as overlayfs does, by descriptors, without a mount.
//!
//! Directories of the same name merge; anything else hides what is below it; a character device 0:0 hides it and is not
//! visible. Only [`Merged::resolve`] follows links, inside the root.

use std::collections::{BTreeSet, HashSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::remove::children;
use crate::error::display;
use crate::{Error, Kind, Result};

const MAX_LINKS: usize = 40;
const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A path as plain components.
pub type Names = Vec<Vec<u8>>;

/// A stack of layers, top first.
#[derive(Clone)]
pub struct Merged<'r> {
    roots: Vec<BorrowedFd<'r>>,
}

/// The same directory in every layer that has it, top first; never empty.
pub struct MergedDirectory {
    parts: Vec<OwnedFd>,
}

pub enum Found {
    Nothing,
    Directory(MergedDirectory),
    /// Any other file: its parent directory and its status.
    Other(OwnedFd, Box<Stat>),
}

pub fn is_whiteout(status: &Stat) -> bool {
    FileType::from_raw_mode(status.st_mode) == FileType::CharacterDevice && status.st_rdev == 0
}

fn open(parent: impl AsFd, name: &[u8]) -> Result<OwnedFd> {
    rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())
        .map_err(|errno| Error::system("openat", name, errno))
}

impl<'r> Merged<'r> {
    pub fn new(roots: Vec<BorrowedFd<'r>>) -> Self {
        Self { roots }
    }

    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    pub fn root(&self) -> Result<MergedDirectory> {
        let parts = self.roots.iter().map(|root| open(root, b".")).collect::<Result<_>>()?;
        Ok(MergedDirectory { parts })
    }

    /// Looks `path` up. A link in the middle is not a directory, so nothing is behind it.
    pub fn look(&self, path: &[Vec<u8>]) -> Result<Found> {
        if self.is_empty() {
            return Ok(Found::Nothing);
        }
        let mut here = self.root()?;
        let Some((last, parents)) = path.split_last() else { return Ok(Found::Directory(here)) };
        for name in parents {
            match here.look(name)? {
                Found::Directory(directory) => here = directory,
                Found::Nothing | Found::Other(..) => return Ok(Found::Nothing),
            }
        }
        here.look(last)
    }

    /// Resolves `path` from `base` with links followed as if the top of the stack were `/`. A missing component counts
    /// as a directory that could be created, and so does a link that `is_gone`.
    pub fn resolve(
        &self,
        base: &[Vec<u8>],
        path: &[Vec<u8>],
        is_gone: &dyn Fn(&[Vec<u8>]) -> Result<bool>,
    ) -> Result<Names> {
        let mut rest: Names = path.iter().rev().cloned().collect();
        let mut here: Names = base.to_vec();
        let mut links = 0;
        while let Some(name) = rest.pop() {
            if name == b".." {
                here.pop();
                continue;
            }
            here.push(name);
            let Found::Other(directory, status) = self.look(&here)? else { continue };
            if FileType::from_raw_mode(status.st_mode) != FileType::Symlink || is_gone(&here)? {
                continue;
            }
            let name = here.pop().unwrap_or_default();
            links += 1;
            if links > MAX_LINKS {
                let shown = display(&path.join(&b'/'));
                return Err(Error::new(Kind::Unsafe, format!("{shown}: too many links")).on(shown));
            }
            let target = rustix::fs::readlinkat(&directory, &name, Vec::new())
                .map_err(|errno| Error::system("readlinkat", &name, errno))?
                .into_bytes();
            if target.starts_with(b"/") {
                here.clear();
            }
            rest.extend(names(&target).into_iter().rev());
        }
        Ok(here)
    }
}

/// The components of a link's target, including `..`.
pub fn names(path: &[u8]) -> Names {
    path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).map(<[u8]>::to_vec).collect()
}

impl MergedDirectory {
    /// The top directory, whose attributes are visible.
    pub fn top(&self) -> BorrowedFd<'_> {
        self.parts[0].as_fd()
    }

    pub fn look(&self, name: &[u8]) -> Result<Found> {
        let mut parts = Vec::new();
        for part in &self.parts {
            let status = match rustix::fs::statat(part, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(status) => status,
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(Error::system("fstatat", name, errno)),
            };
            if FileType::from_raw_mode(status.st_mode) == FileType::Directory {
                parts.push(open(part, name)?);
            } else if parts.is_empty() && !is_whiteout(&status) {
                let directory = open(part, b".")?;
                return Ok(Found::Other(directory, Box::new(status)));
            } else {
                break;
            }
        }
        Ok(if parts.is_empty() { Found::Nothing } else { Found::Directory(MergedDirectory { parts }) })
    }

    /// The merged names, sorted.
    pub fn names(&self) -> Result<BTreeSet<Vec<u8>>> {
        let (mut seen, mut hidden) = (BTreeSet::new(), HashSet::new());
        for part in &self.parts {
            for name in children(part.as_fd(), b".")? {
                if seen.contains(&name) || hidden.contains(&name) {
                    continue;
                }
                let status = rustix::fs::statat(part, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(|errno| Error::system("fstatat", &name, errno))?;
                let fresh = if is_whiteout(&status) { hidden.insert(name) } else { seen.insert(name) };
                debug_assert!(fresh, "a directory has a name once");
            }
        }
        Ok(seen)
    }
}
