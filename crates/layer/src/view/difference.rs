//! Compares two views: the paths that a layer must add, and those that it must hide.

use std::collections::BTreeSet;

use super::View;
use crate::Result;
use crate::tar::{Entry, EntryKind};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// New, or changed; the strings say what changed: `type`, `mode`, `owner`, `time`, `size`, `content`, `link`,
    /// `device`, `xattrs`, `names` (hard links).
    Added,
    Changed(Vec<&'static str>),
    Removed,
}

/// What is compared.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Paths that are ignored with everything below, such as the mount point of a volume.
    pub mask: Vec<Vec<u8>>,
    /// The second view is a tree that an unprivileged user unpacked: owners, devices and attributes that the user
    /// cannot set are ignored.
    pub rootless: bool,
    /// The second view is a directory, where the time of directories that no layer mentions is arbitrary. Otherwise
    /// both views are images, in which such directories have the time zero.
    pub on_disk: bool,
}

impl Comparison {
    fn masks(&self, path: &[u8]) -> bool {
        self.mask.iter().any(|mask| {
            path.strip_prefix(mask.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/") || mask.is_empty())
        })
    }

    fn xattrs<'e>(&self, entry: &'e Entry) -> Vec<&'e (Vec<u8>, Vec<u8>)> {
        let privileged =
            |name: &[u8]| self.rootless && (name.starts_with(b"security.") || name.starts_with(b"trusted."));
        let carries_user = matches!(entry.kind, EntryKind::File | EntryKind::Directory);
        let kept = entry.xattrs.iter().filter(|(name, _)| {
            !privileged(name) && !super::attributes::stays_behind(name) && (carries_user || !self.rootless)
        });
        kept.collect()
    }
}

/// Changes by path, sorted. `content` computes the digest of a file of `now` whose attributes are unchanged.
pub fn difference(
    before: &View,
    now: &View,
    comparison: &Comparison,
    content: &mut dyn FnMut(&[u8]) -> Result<Option<String>>,
) -> Result<Vec<(Vec<u8>, Change)>> {
    let mut changes = Vec::new();
    for (path, item) in &now.items {
        if comparison.masks(path) {
            continue;
        }
        let Some(old) = before.items.get(path) else {
            changes.push((path.clone(), Change::Added));
            continue;
        };
        let mut what = attributes(&old.entry, &item.entry, comparison);
        if comparison.on_disk && old.is_implied() {
            what.retain(|what| *what != "time"); // implied by a path
        }
        if what.is_empty() && old.entry.kind == EntryKind::File && item.entry.kind == EntryKind::File {
            // An unreadable file counts as unchanged: nothing else tells them apart.
            let found = match &item.digest {
                Some(digest) => Some(digest.clone()),
                None if old.digest.is_some() => content(path)?,
                None => None,
            };
            if old.digest.is_some() && found.is_some() && old.digest != found {
                what.push("content");
            }
        }
        if !what.is_empty() {
            changes.push((path.clone(), Change::Changed(what)));
        }
    }
    removed(before, now, comparison, &mut changes);
    names(before, now, comparison, &mut changes);
    changes.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(changes)
}

fn attributes(old: &Entry, new: &Entry, comparison: &Comparison) -> Vec<&'static str> {
    if comparison.rootless && is_device(old) && stands_for_device(new) {
        return Vec::new();
    }
    let mut what = Vec::new();
    match (&old.kind, &new.kind) {
        (a, b) if a == b => {}
        (EntryKind::Symlink(_), EntryKind::Symlink(_)) => what.push("link"),
        (EntryKind::CharDevice(..), EntryKind::CharDevice(..))
        | (EntryKind::BlockDevice(..), EntryKind::BlockDevice(..)) => what.push("device"),
        _ => return vec!["type"],
    }
    // The mode of a link is always the same, whatever an archive says.
    if old.mode != new.mode && !matches!(new.kind, EntryKind::Symlink(_)) {
        what.push("mode");
    }
    if (old.uid, old.gid) != (new.uid, new.gid) && !(comparison.rootless && (new.uid, new.gid) == (0, 0)) {
        what.push("owner");
    }
    if old.mtime.seconds != new.mtime.seconds {
        what.push("time");
    }
    if new.kind == EntryKind::File && old.size != new.size {
        what.push("size");
    }
    let (mut before, mut now) = (comparison.xattrs(old), comparison.xattrs(new));
    before.sort();
    now.sort();
    if before != now {
        what.push("xattrs");
    }
    what
}

fn is_device(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::CharDevice(..) | EntryKind::BlockDevice(..))
}

/// The placeholder of a device that could not be created: an empty file of mode 0.
fn stands_for_device(entry: &Entry) -> bool {
    entry.kind == EntryKind::File && entry.size == 0 && entry.mode == 0
}

/// The topmost removed paths only, as a whiteout includes everything below.
fn removed(before: &View, now: &View, comparison: &Comparison, changes: &mut Vec<(Vec<u8>, Change)>) {
    let mut gone: BTreeSet<&[u8]> = BTreeSet::new();
    for (path, item) in &before.items {
        if now.items.contains_key(path) || comparison.masks(path) {
            continue;
        }
        // A name such as `a-b` may sort between a directory `a` and its entries.
        if parents(path).any(|parent| gone.contains(parent)) {
            continue;
        }
        if comparison.rootless && is_device(&item.entry) {
            continue;
        }
        // Entries of a replaced directory were removed with it.
        if replaced(path, now) {
            continue;
        }
        gone.insert(path);
        changes.push((path.clone(), Change::Removed));
    }
}

fn replaced(path: &[u8], now: &View) -> bool {
    let above = parents(path).find_map(|parent| now.items.get(parent));
    above.is_some_and(|item| item.entry.kind != EntryKind::Directory)
}

/// The parents of a path, nearest first.
fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/').map(|(slash, _)| &path[..slash])
}

/// A file that gained or lost a name is added with all its names: a hard link in an archive can only refer to a file of
/// the same archive.
fn names(before: &View, now: &View, comparison: &Comparison, changes: &mut Vec<(Vec<u8>, Change)>) {
    let changed: BTreeSet<Vec<u8>> = changes
        .iter()
        .filter(|(_, change)| *change != Change::Removed)
        .map(|(path, _)| path.clone())
        .collect();
    let old = before.names();
    for names in now.names().values() {
        let first = now.items.get(names[0]);
        if first.is_none_or(|item| item.entry.kind == EntryKind::Directory) {
            continue;
        }
        let names: Vec<&[u8]> = names.iter().copied().filter(|name| !comparison.masks(name)).collect();
        let one_before =
            names.first().and_then(|name| before.items.get(*name)).and_then(|item| old.get(&item.file));
        let same = one_before.is_some_and(|before_names| {
            let still: Vec<&[u8]> =
                before_names.iter().copied().filter(|name| now.items.contains_key(*name)).collect();
            still == names
        });
        let touched = names.iter().any(|name| changed.contains(*name));
        if (names.len() > 1 && touched) || !same {
            for name in names {
                if !changed.contains(name) {
                    changes.push((name.to_vec(), Change::Changed(vec!["names"])));
                }
            }
        }
    }
}
