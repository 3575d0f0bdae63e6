//! Hard links whose target was missing when they came, once the layers below are known: a file below takes precedence
//! over a later one of the same layer. The links' placeholders are replaced here.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};

use super::alone::Awaiting;
use super::copy_up::copy_up;
use super::merged::{Found, Names};
use super::remove::children;
use super::settle::{Settler, open_in};
use super::tree::components;
use crate::error::display;
use crate::tar::EntryKind;
use crate::{Error, Kind, Result};

/// Names of each placeholder in this layer, by inode.
type Places = HashMap<u64, Vec<Names>>;

/// The file that a link refers to.
enum Target {
    /// In this layer.
    Own(Names),
    /// In a layer below: its parent directory, its status, and the path for a copy in this layer.
    Below(OwnedFd, Box<Stat>, Option<Names>),
}

impl Settler<'_, '_> {
    pub(super) fn link_to_lower(&mut self) -> Result<()> {
        let mut left = std::mem::take(&mut self.left.links);
        let mut unsettled: HashSet<u64> = left.iter().filter_map(|link| link.place).collect();
        let mut places = Places::new();
        if !left.is_empty() {
            self.find_places(&open_in(self.root, b".")?, &mut Vec::new(), &unsettled, &mut places)?;
        }
        // Files copied up, by device and inode below.
        let mut copies: HashMap<(u64, u64), Names> = HashMap::new();
        while !left.is_empty() {
            let (count, mut waiting) = (left.len(), Vec::new());
            for link in left {
                let Some(target) = self.target(&link, &unsettled)? else {
                    waiting.push(link);
                    continue;
                };
                let names = link.place.and_then(|place| places.remove(&place)).unwrap_or_default();
                self.replace_places(&link, target, &names, &mut copies)?;
                if let Some(place) = link.place {
                    unsettled.remove(&place);
                }
            }
            if waiting.len() == count {
                return Err(missing(&waiting[0])); // the rest is a cycle
            }
            left = waiting;
        }
        Ok(())
    }

    fn find_places(
        &self,
        directory: &OwnedFd,
        path: &mut Names,
        wanted: &HashSet<u64>,
        places: &mut Places,
    ) -> Result<()> {
        for name in children(directory.as_fd(), b".")? {
            let status = rustix::fs::statat(directory, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|errno| Error::system("fstatat", &name, errno))?;
            let kind = FileType::from_raw_mode(status.st_mode);
            if kind == FileType::Directory {
                let below = open_in(directory, &name)?;
                path.push(name);
                self.find_places(&below, path, wanted, places)?;
                path.pop();
            } else if kind == FileType::RegularFile && wanted.contains(&status.st_ino) {
                let full = path.iter().chain([&name]).cloned().collect();
                places.entry(status.st_ino).or_default().push(full);
            }
        }
        Ok(())
    }

    /// `None` while it refers to another unresolved link.
    fn target(&self, link: &Awaiting, unsettled: &HashSet<u64>) -> Result<Option<Target>> {
        let EntryKind::HardLink(target) = &link.entry.kind else { return Err(missing(link)) };
        let parts: Names = components(target, self.limits)?.into_iter().map(<[u8]>::to_vec).collect();
        let Some((name, parents)) = parts.split_last() else { return Err(missing(link)) };
        let Some(mut full) = self.find(parents)? else { return Err(missing(link)) };
        let is_covered = self.covers(&full)?;
        full.push(name.clone());
        let own = self.own.look(&full)?;
        if !link.is_covered && !self.left.claims.hides(&full, link.claims) {
            match self.below.look(&full)? {
                Found::Nothing if !link.found_directory => {}
                Found::Nothing | Found::Directory(_) => return Err(to_directory(link)),
                Found::Other(directory, found) => {
                    // A path through a file replaces it by a directory, be it of another entry or of the link itself.
                    let is_link = FileType::from_raw_mode(found.st_mode) == FileType::Symlink;
                    let to = components(&link.entry.path, self.limits)?;
                    let is_within =
                        to.len() > parts.len() && to.iter().zip(&parts).all(|(a, b)| *a == b.as_slice());
                    if !is_link && (link.found_directory || is_within) {
                        return Err(to_directory(link));
                    }
                    if full.len() > to.len() && to.iter().zip(&full).all(|(a, b)| *a == b.as_slice()) {
                        return Err(in_the_way(link));
                    }
                    let place = match own {
                        Found::Nothing => (!is_covered && !self.is_hidden(&full)).then_some(full),
                        Found::Other(_, now) => (Some(now.st_ino) == link.place).then_some(full),
                        Found::Directory(_) => None,
                    };
                    return Ok(Some(Target::Below(directory, found, place)));
                }
            }
        }
        match own {
            Found::Nothing => Err(missing(link)),
            Found::Directory(_) => Err(to_directory(link)),
            Found::Other(_, found) => Ok((!unsettled.contains(&found.st_ino)).then_some(Target::Own(full))),
        }
    }

    /// Replaces all placeholders of the link.
    fn replace_places(
        &mut self,
        link: &Awaiting,
        target: Target,
        names: &[Names],
        copies: &mut HashMap<(u64, u64), Names>,
    ) -> Result<()> {
        let source = match target {
            Target::Own(path) => path,
            Target::Below(directory, found, place) => {
                let key = (found.st_dev, found.st_ino);
                match (copies.get(&key), place.or_else(|| names.first().cloned())) {
                    (Some(copy), _) => copy.clone(),
                    (None, None) => return Ok(()), // no name in this layer is this file
                    (None, Some(place)) => {
                        self.copy(link, &directory, &found, &place)?;
                        copies.insert(key, place.clone());
                        place
                    }
                }
            }
        };
        let (Some((from_name, from_parents)), false) = (source.split_last(), names.is_empty()) else {
            return Ok(());
        };
        let from = self.open(from_parents)?;
        for name in names.iter().filter(|name| **name != source) {
            let Some((name, parents)) = name.split_last() else { continue };
            let parent = self.open(parents)?;
            let system = |call, errno| Error::system(call, &link.entry.path, errno);
            rustix::fs::unlinkat(&parent, name.as_slice(), AtFlags::empty())
                .map_err(|errno| system("unlinkat", errno))?;
            rustix::fs::linkat(&from, from_name.as_slice(), &parent, name.as_slice(), AtFlags::empty())
                .map_err(|errno| system("linkat", errno))?;
        }
        Ok(())
    }

    /// Copies a file of a layer below to `place` in this one, where only a placeholder may be.
    fn copy(&mut self, link: &Awaiting, from: &OwnedFd, found: &Stat, place: &[Vec<u8>]) -> Result<()> {
        let EntryKind::HardLink(target) = &link.entry.kind else { return Ok(()) };
        let parts = components(target, self.limits)?;
        let (Some(old), Some((name, parents))) = (parts.last(), place.split_last()) else { return Ok(()) };
        let to = self.ensure(parents)?;
        match rustix::fs::unlinkat(&to, name.as_slice(), AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(errno) => return Err(Error::system("unlinkat", name, errno)),
        }
        copy_up(from.as_fd(), old, found, to.as_fd(), name)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(&to, name.as_slice(), flags, Mode::empty())
            .map_err(|errno| Error::system("openat", name, errno))?;
        self.left.checksums.note(made, None)
    }
}

fn missing(link: &Awaiting) -> Error {
    let shown = display(&link.entry.path);
    let target = match &link.entry.kind {
        EntryKind::HardLink(target) => display(target),
        _ => String::new(),
    };
    Error::invalid(format!("{shown}: its hard link target {target:?} is missing")).on(shown)
}

fn in_the_way(link: &Awaiting) -> Error {
    let shown = display(&link.entry.path);
    Error::invalid(format!("{shown}: its hard link target is in the directory that it replaces")).on(shown)
}

fn to_directory(link: &Awaiting) -> Error {
    let shown = display(&link.entry.path);
    Error::new(Kind::Unsafe, format!("{shown}: a hard link to a directory")).on(shown)
}
