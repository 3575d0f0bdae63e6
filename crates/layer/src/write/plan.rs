//! The entries of a layer in the order of writing.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::PathBuf;

use crate::error::display;
use crate::tar::{Entry, EntryKind, Time};
use crate::view::{Change, Scanned};
use crate::{Error, Kind, Result};

pub const WHITEOUT: &[u8] = b".wh.";
pub const OPAQUE: &[u8] = b".wh..wh..opq";

/// The source of a file's content.
pub enum Body {
    None,
    Bytes(Vec<u8>),
    File(PathBuf),
    /// A path below the root of a tree, with its index in [`Plan::trees`].
    Tree(usize, Vec<u8>),
}

pub struct Planned {
    /// The path has no leading or trailing slash.
    pub entry: Entry,
    pub body: Body,
    /// Tree, device and inode: later entries with the same value become hard links.
    pub file: Option<(usize, u64, u64)>,
}

#[derive(Default)]
pub struct Plan {
    entries: BTreeMap<Vec<u8>, Planned>,
    pub trees: Vec<Scanned>,
    pub warnings: Vec<String>,
    pub changes: Vec<(Vec<u8>, Change)>,
}

/// Sorts parents before children, and whiteouts before other entries of a directory.
fn key(path: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(path.len() + 8);
    for (index, part) in path.split(|byte| *byte == b'/').enumerate() {
        if part.is_empty() {
            continue; // the root is the empty key
        }
        if index > 0 {
            key.push(0);
        }
        key.push(match part {
            OPAQUE => 1,
            part if part.starts_with(WHITEOUT) => 2,
            _ => 3,
        });
        key.extend_from_slice(part);
    }
    key
}

pub fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}

pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

pub fn plain(path: Vec<u8>, kind: EntryKind, mode: u32) -> Entry {
    let mtime = Time::default();
    Entry { path, kind, mode, uid: 0, gid: 0, mtime, stored: 0, size: 0, map: None, xattrs: Vec::new() }
}

/// Limit of chained links.
const MAX_LINKS: usize = 40;

impl Plan {
    /// The target of a hard link, or `planned` itself if it is not a hard link or its target is not in the plan. A link
    /// to a directory or to itself could not be unpacked.
    pub fn origin<'p>(&'p self, planned: &'p Planned) -> Result<&'p Planned> {
        let path = display(&planned.entry.path);
        let refused =
            |why: &str| Err(Error::new(Kind::Option, format!("the hard link {path} {why}")).on(path.clone()));
        let mut origin = planned;
        for _ in 0..MAX_LINKS {
            let EntryKind::HardLink(target) = &origin.entry.kind else { return Ok(origin) };
            match self.entries.get(&key(target)) {
                None => return Ok(planned),
                Some(next) if next.entry.kind == EntryKind::Directory => {
                    return refused(&format!("leads to the directory {}", display(target)));
                }
                Some(next) => origin = next,
            }
        }
        refused("leads to itself, or over too many others")
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Planned> {
        self.entries.values()
    }

    /// Places an entry. A directory keeps what is planned below it; anything else replaces it.
    pub fn put(&mut self, planned: Planned) -> Result<()> {
        let path = &planned.entry.path;
        if path.is_empty() && planned.entry.kind != EntryKind::Directory {
            return Err(Error::new(Kind::Option, "the root of an image can only be a directory"));
        }
        self.refuse_name(path)?;
        self.refuse_parent(path)?;
        if planned.entry.kind != EntryKind::Directory {
            self.forget_below(path);
        }
        self.entries.insert(key(path), planned);
        Ok(())
    }

    /// SECURITY: applied, a file of that name would hide another one.
    fn refuse_name(&self, path: &[u8]) -> Result<()> {
        if path.split(|byte| *byte == b'/').any(|part| part.starts_with(WHITEOUT)) {
            let shown = display(path);
            let message = format!("{shown}: a name that begins with .wh. means a removal in a layer");
            return Err(Error::new(Kind::Option, message).on(shown).hint("rename it, or leave it out"));
        }
        Ok(())
    }

    fn refuse_parent(&self, path: &[u8]) -> Result<()> {
        let mut parent = split(path).0;
        while !parent.is_empty() {
            if let Some(above) = self.entries.get(&key(parent))
                && above.entry.kind != EntryKind::Directory
            {
                let (shown, above) = (display(path), display(parent));
                return Err(Error::new(
                    Kind::Option,
                    format!("{shown}: {above} is no directory in this layer"),
                )
                .on(shown));
            }
            parent = split(parent).0;
        }
        Ok(())
    }

    fn forget_below(&mut self, path: &[u8]) {
        let own = key(path);
        let prefix = if own.is_empty() { Vec::new() } else { [&own[..], &[0]].concat() };
        let range = (Bound::Excluded(own), Bound::Unbounded);
        let below = self.entries.range::<Vec<u8>, _>(range).take_while(|(key, _)| key.starts_with(&prefix));
        let gone: Vec<Vec<u8>> = below.map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.entries.remove(&key);
        }
    }

    /// Removes a path from this layer and hides it in those below.
    pub fn remove(&mut self, path: &[u8]) -> Result<()> {
        if path.is_empty() {
            return Err(Error::new(Kind::Option, "the root directory cannot be removed"));
        }
        self.refuse_name(path)?;
        self.refuse_parent(path)?;
        self.forget_below(path);
        self.entries.remove(&key(path));
        let (parent, name) = split(path);
        self.marker(join(parent, &[WHITEOUT, name].concat()));
        Ok(())
    }

    /// Hides a directory's content in the layers below. Entries planned in it stay.
    pub fn opaque(&mut self, path: &[u8]) -> Result<()> {
        self.refuse_name(path)?;
        let marker = join(path, OPAQUE);
        self.refuse_parent(&marker)?;
        self.marker(marker);
        Ok(())
    }

    /// An empty file with the time zero, the same in every layer.
    fn marker(&mut self, path: Vec<u8>) {
        let entry = plain(path, EntryKind::File, 0o644);
        self.entries.insert(key(&entry.path), Planned { entry, body: Body::None, file: None });
    }

    /// Adds the missing parent directories of every entry.
    pub fn complete(&mut self) {
        let mut missing = BTreeMap::new();
        for planned in self.entries.values() {
            let mut parent = split(&planned.entry.path).0;
            while !parent.is_empty() && !self.entries.contains_key(&key(parent)) {
                missing.insert(key(parent), parent.to_vec());
                parent = split(parent).0;
            }
        }
        for (key, path) in missing {
            let entry = plain(path, EntryKind::Directory, 0o755);
            self.entries.insert(key, Planned { entry, body: Body::None, file: None });
        }
    }
}
