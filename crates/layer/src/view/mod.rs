//! A root file system as a list of its entries, read from a directory, a manifest file, or the layers of an image
//! without unpacking them. Two views can be compared.

mod attributes;
mod difference;
mod merge;
mod mtree;
mod readable;
mod rights;
mod scan;
mod subject;

use std::collections::BTreeMap;

use crate::tar::{Entry, EntryKind};

pub use attributes::{IdMap, Owners, stays_behind};
pub use difference::{Change, Comparison, difference};
pub use merge::{Merging, Place, merge};
pub use mtree::{parse as parse_manifest, write as write_manifest};
pub use rights::{Opening, Rights};
pub use scan::{OVERLAY_OPAQUE, Scan, Scanned, scan, scan_one};

/// The kernel's limit of links in one path.
const MAX_LINKS: usize = 40;

/// One name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The path is relative to the root, without a leading or trailing slash; `mtime` has whole seconds. Never a hard
    /// link.
    pub entry: Entry,
    /// Names with the same value are hard links to one file.
    pub file: (u64, u64),
    /// `sha256:…` of a file's content, if known.
    pub digest: Option<String>,
}

impl Item {
    /// A directory without an entry in any archive, created for its entries.
    pub fn is_implied(&self) -> bool {
        self.file.1 == u64::MAX && self.entry.kind == EntryKind::Directory
    }
}

/// All entries by path; the root itself is the empty path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    pub items: BTreeMap<Vec<u8>, Item>,
}

impl View {
    /// The names of each file, in order.
    pub fn names(&self) -> BTreeMap<(u64, u64), Vec<&[u8]>> {
        let mut names: BTreeMap<(u64, u64), Vec<&[u8]>> = BTreeMap::new();
        for (path, item) in &self.items {
            names.entry(item.file).or_default().push(path);
        }
        names
    }

    /// Resolves `path`: links are followed, including the last component, as if the root were `/`.
    pub fn resolve(&self, path: &[u8]) -> Option<Vec<u8>> {
        let mut rest: Vec<Vec<u8>> = path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec).collect();
        let (mut here, mut links) = (Vec::new(), 0);
        while let Some(part) = rest.pop() {
            match part.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    let end = here.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                    here.truncate(end);
                    continue;
                }
                _ => {}
            }
            let below = if here.is_empty() { part } else { [&here[..], b"/", &part].concat() };
            match &self.items.get(&below)?.entry.kind {
                EntryKind::Symlink(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return None;
                    }
                    if target.starts_with(b"/") {
                        here.clear();
                    }
                    rest.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
                }
                EntryKind::Directory => here = below,
                _ if rest.is_empty() => return Some(below),
                _ => return None,
            }
        }
        Some(here)
    }

    /// The entries below a directory, without the directory itself.
    pub fn below<'v>(&'v self, path: &[u8]) -> impl Iterator<Item = (&'v Vec<u8>, &'v Item)> {
        let mut prefix = path.to_vec();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        let start = prefix.clone();
        self.items
            .range(start..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .filter(|(path, _)| !path.is_empty())
    }
}

#[cfg(test)]
mod tests;
