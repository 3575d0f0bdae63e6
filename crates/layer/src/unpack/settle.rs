//! The second half of unpacking a layer by itself, once the layers below are known: translates what it says of them to
//! what overlayfs understands.
//!
//! - Whiteouts become character devices 0:0. An opaque directory becomes one whiteout for each name that it hides: so
//!   no extended attribute controls the mount, mounts with and without `userxattr` are the same, and the container does
//!   not see the bookkeeping. A whiteout that hides nothing is not written.
//! - A directory without an entry gets the attributes of the one below it. Where that one is a link, unpacking layer on
//!   layer would have followed the link, so the directory's entries move to the link's target.
//! - A hard link to a file of a lower layer: the file is copied up first ([`super::settle_links`]).

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::alone::Unsettled;
use super::checksums::Checksums;
use super::claims::Claim;
use super::copy_up::{copy_directory_attributes, status};
use super::finish::{Deferred, finish_directories};
use super::merged::{Found, Merged, MergedDirectory, Names, names};
use super::moves::Moves;
use super::policy::Report;
use super::remove::{children, remove_tree};
use super::tree::Tree;
use crate::error::display;
use crate::tar::Time;
use crate::{Error, Kind, Limits, Result, Stop};

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A name that no entry of an archive can have.
const MOVED: &[u8] = b".wh..wh.moved";

/// A complete layer.
pub struct Settled {
    pub report: Report,
    pub checksums: Checksums,
}

/// Completes the layer in `root` on top of the complete layers `below` (top first).
pub fn settle(
    root: BorrowedFd<'_>,
    below: &[BorrowedFd<'_>],
    unsettled: Unsettled,
    limits: &Limits,
    stop: &Stop,
) -> Result<Settled> {
    let all = [root].iter().chain(below).copied().collect();
    let settler = Settler {
        own: Merged::new(vec![root]),
        below: Merged::new(below.to_vec()),
        all: Merged::new(all),
        root,
        limits,
        stop,
        left: unsettled,
        moves: Moves::default(),
    };
    settler.settle()
}

pub(super) struct Settler<'r, 'l> {
    pub(super) root: BorrowedFd<'r>,
    /// This layer by itself, the layers below, and all of them.
    pub(super) own: Merged<'r>,
    pub(super) below: Merged<'r>,
    all: Merged<'r>,
    pub(super) limits: &'l Limits,
    pub(super) stop: &'l Stop,
    pub(super) left: Unsettled,
    moves: Moves,
}

impl Settler<'_, '_> {
    fn settle(mut self) -> Result<Settled> {
        if !self.below.is_empty() {
            self.inherit_root()?;
            self.inherit_implied()?;
            self.apply_claims()?;
        }
        self.link_to_lower()?;
        let mut tree = Tree::new(self.root, self.stop.clone());
        tree.implied = self.left.implied;
        finish_directories(&mut tree, self.left.directories, &mut |_, _| Ok(()))?;
        Ok(Settled { report: self.left.report, checksums: self.left.checksums })
    }

    fn inherit_root(&mut self) -> Result<()> {
        if self.left.root_described {
            return Ok(());
        }
        let lower = self.below.root()?;
        self.inherit(lower.top(), self.root, Vec::new())
    }

    /// Copies the attributes of the directory below.
    fn inherit(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, path: Vec<u8>) -> Result<()> {
        let lower = status(from, &path)?;
        copy_directory_attributes(from, &lower, to)?;
        let mtime = Time { seconds: lower.st_mtime, nanoseconds: lower.st_mtime_nsec as u32 };
        let inode = status(to, &path)?.st_ino;
        self.left.directories.insert(inode, Deferred::new(path, lower.st_mode & 0o7777, mtime));
        Ok(())
    }

    /// Whether a whiteout of this layer hides `path` in the layers below. Compares names of the archive, which are the
    /// real ones for any sane archive.
    pub(super) fn is_hidden(&self, path: &[Vec<u8>]) -> bool {
        self.left.claims.hides(path, usize::MAX)
    }

    /// Resolves a path. A lower link that this layer hides does not count, as whiteouts come first.
    fn resolve(&self, base: &[Vec<u8>], path: &[Vec<u8>]) -> Result<Names> {
        let is_gone =
            |path: &[Vec<u8>]| Ok(self.is_hidden(path) && matches!(self.own.look(path)?, Found::Nothing));
        self.all.resolve(base, path, &is_gone)
    }

    fn inherit_implied(&mut self) -> Result<()> {
        // Parents come first, and what is below a directory is one range.
        let mut pending: BTreeSet<Names> = self.left.implied.iter().map(|path| names(path)).collect();
        while let Some(path) = pending.pop_first() {
            self.stop.check()?;
            let Found::Directory(own) = self.own.look(&path)? else { continue };
            let described = self.left.directories.contains_key(&status(own.top(), b".")?.st_ino);
            if described || self.is_hidden(&path) {
                continue;
            }
            match self.below.look(&path)? {
                Found::Nothing => {}
                Found::Directory(lower) => self.inherit(lower.top(), own.top(), path.join(&b'/'))?,
                Found::Other(directory, found) => {
                    if FileType::from_raw_mode(found.st_mode) == FileType::Symlink {
                        drop(own);
                        let real = self.follow(&path, &directory)?;
                        let below =
                            pending.range(path.clone()..).take_while(|other| other.starts_with(&path));
                        for mut other in below.cloned().collect::<Vec<_>>() {
                            pending.remove(&other);
                            other.splice(..path.len(), real.iter().cloned());
                            pending.insert(other);
                        }
                    }
                }
            }
        }
        for deferred in self.left.directories.values_mut() {
            self.moves.follow(&mut deferred.path);
        }
        for implied in &mut self.left.implied {
            self.moves.follow(implied);
        }
        Ok(())
    }

    /// `path` is a link below and an implied directory here: moves its entries to the link's target, and returns that.
    fn follow(&mut self, path: &[Vec<u8>], lower: &OwnedFd) -> Result<Names> {
        let (Some(name), parents) = (path.last(), &path[..path.len() - 1]) else {
            return Ok(path.to_vec());
        };
        let shown = display(&path.join(&b'/'));
        let target = rustix::fs::readlinkat(lower, name.as_slice(), Vec::new())
            .map_err(|errno| Error::system("readlinkat", name, errno))?
            .into_bytes();
        let base = if target.starts_with(b"/") { &[][..] } else { parents };
        let real = self.resolve(base, &names(&target))?;
        if real.starts_with(path) {
            return Err(Error::new(Kind::Unsafe, format!("{shown}: too many links")).on(shown));
        }
        let into = self.ensure(&real)?;
        let parent = self.open(parents)?;
        // Moved away first: the target may be inside the directory.
        rustix::fs::renameat(&parent, name.as_slice(), self.root, MOVED)
            .map_err(|errno| Error::system("renameat", name, errno))?;
        let from = open_in(self.root, MOVED)?;
        move_children(&from, &into)?;
        drop(from);
        rustix::fs::unlinkat(self.root, MOVED, AtFlags::REMOVEDIR)
            .map_err(|errno| Error::system("rmdir", name, errno))?;
        self.moves.add(path.join(&b'/'), real.join(&b'/'));
        Ok(real)
    }

    /// Opens a directory of this layer by its resolved path.
    pub(super) fn open(&self, path: &[Vec<u8>]) -> Result<OwnedFd> {
        let mut here = open_in(self.root, b".")?;
        for name in path {
            here = open_in(&here, name)?;
        }
        Ok(here)
    }

    /// Like [`Self::open`], but creates missing directories with the attributes of those below.
    pub(super) fn ensure(&mut self, path: &[Vec<u8>]) -> Result<OwnedFd> {
        let mut here = open_in(self.root, b".")?;
        for (index, name) in path.iter().enumerate() {
            let kind = rustix::fs::statat(&here, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW)
                .map(|status| FileType::from_raw_mode(status.st_mode));
            if let Ok(FileType::Directory) = kind {
                here = open_in(&here, name)?;
                continue;
            }
            if kind.is_ok() {
                remove_tree(here.as_fd(), name)?; // replaced, as in unpacking layer on layer
            }
            rustix::fs::mkdirat(&here, name.as_slice(), Mode::from_raw_mode(0o700))
                .map_err(|errno| Error::system("mkdirat", name, errno))?;
            here = open_in(&here, name)?;
            let path = &path[..=index];
            match self.below.look(path)? {
                Found::Directory(lower) => self.inherit(lower.top(), here.as_fd(), path.join(&b'/'))?,
                Found::Nothing | Found::Other(..) => self.left.implied.push(path.join(&b'/')),
            }
        }
        Ok(here)
    }

    /// Resolves a path without creating anything; a loop of links resolves to nothing.
    pub(super) fn find(&self, path: &[Vec<u8>]) -> Result<Option<Names>> {
        match self.resolve(&[], path) {
            Err(error) if error.kind == Kind::Unsafe => Ok(None),
            other => other.map(Some),
        }
    }

    fn apply_claims(&mut self) -> Result<()> {
        for Claim { parents, name } in self.left.claims.iter().cloned().collect::<Vec<_>>() {
            self.stop.check()?;
            if self.is_hidden(&parents) {
                continue; // together with the directory
            }
            let Some(path) = self.find(&parents)? else { continue };
            let Found::Directory(lower) = self.below.look(&path)? else { continue };
            match name {
                Some(name) => self.hide(&path, &lower, &name)?,
                None => self.hide_children(&path, &lower)?,
            }
        }
        Ok(())
    }

    /// Hides `name` of the directory `path`; this layer's own entry stays.
    fn hide(&mut self, path: &[Vec<u8>], lower: &MergedDirectory, name: &[u8]) -> Result<()> {
        self.stop.check()?;
        let found = lower.look(name)?;
        if matches!(found, Found::Nothing) {
            return Ok(());
        }
        if self.covers(path)? {
            return Ok(());
        }
        let mut inner = path.to_vec();
        inner.push(name.to_vec());
        let own = match self.own.look(path)? {
            Found::Directory(directory) => directory.look(name)?,
            Found::Nothing | Found::Other(..) => Found::Nothing,
        };
        match (own, found) {
            (Found::Nothing, _) => {
                let directory = self.ensure(path)?;
                let whiteout = rustix::fs::makedev(0, 0);
                let made =
                    rustix::fs::mknodat(&directory, name, FileType::CharacterDevice, Mode::empty(), whiteout);
                match made {
                    Ok(()) | Err(Errno::EXIST) => Ok(()), // a duplicate whiteout
                    // COMPAT(kernel): an overlay does not accept them, and before Linux 5.8 an unprivileged user cannot
                    // create them.
                    Err(Errno::PERM) => {
                        let mut error = Error::system("mknodat", name, Errno::PERM);
                        error.kind = Kind::Overlay;
                        Err(error.hint(
                            "the store takes no whiteouts (character devices 0:0): it must not lie on an overlay itself",
                        ))
                    }
                    Err(errno) => Err(Error::system("mknodat", name, errno)),
                }
            }
            (Found::Directory(_), Found::Directory(lower)) => self.hide_children(&inner, &lower),
            // Anything else covers what is below by itself: a directory does not merge with a file.
            _ => Ok(()),
        }
    }

    /// Whether an entry of this layer other than a directory covers `path`, so that nothing below is visible.
    pub(super) fn covers(&self, path: &[Vec<u8>]) -> Result<bool> {
        for end in 1..=path.len() {
            match self.own.look(&path[..end])? {
                Found::Directory(_) => {}
                Found::Nothing => return Ok(false),
                Found::Other(..) => return Ok(true),
            }
        }
        Ok(false)
    }

    fn hide_children(&mut self, path: &[Vec<u8>], lower: &MergedDirectory) -> Result<()> {
        for name in lower.names()? {
            self.hide(path, lower, &name)?;
        }
        Ok(())
    }
}

pub(super) fn open_in(parent: impl AsFd, name: &[u8]) -> Result<OwnedFd> {
    rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())
        .map_err(|errno| Error::system("openat", name, errno))
}

/// Moves all entries of `from` to `into`; directories merge, anything else replaces.
fn move_children(from: &OwnedFd, into: &OwnedFd) -> Result<()> {
    for name in children(from.as_fd(), b".")? {
        let is_directory = |directory: &OwnedFd| {
            rustix::fs::statat(directory, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory)
        };
        if is_directory(from) && is_directory(into) {
            move_children(&open_in(from, &name)?, &open_in(into, &name)?)?;
            rustix::fs::unlinkat(from, name.as_slice(), AtFlags::REMOVEDIR)
                .map_err(|errno| Error::system("rmdir", &name, errno))?;
            continue;
        }
        remove_tree(into.as_fd(), &name)?;
        rustix::fs::renameat(from, name.as_slice(), into, name.as_slice())
            .map_err(|errno| Error::system("renameat", &name, errno))?;
    }
    Ok(())
}
