//! The root file system of an image, computed in memory from the archives of its layers by the rules of
//! [`crate::unpack`].

mod tree;

use super::{Item, View};
use crate::blob::{self, Blob};
use crate::chunk::Source;
use crate::error::display;
use crate::tar::{Entry, EntryKind, Reader, Time, content};
use crate::unpack::{Marker, components, marker, steers_overlays};
use crate::{Error, Kind, Limits, Result, Stop};
use caisson_digest::Hasher;

use tree::Tree;

/// Location of a file's content: index of the layer, and of the entry in it.
pub type Place = (u64, u64);

#[derive(Debug, Clone, Copy, Default)]
pub struct Merging {
    /// Hash every file.
    pub contents: bool,
    /// See [`crate::unpack::Policy::keep_dirlinks`].
    pub keep_dirlinks: bool,
}

/// Reads and verifies all layers, bottom first. `Item::file` is the [`Place`] of a file.
pub fn merge(layers: &[Blob], merging: Merging, limits: &Limits, stop: &Stop) -> Result<View> {
    let Merging { contents, keep_dirlinks } = merging;
    let tree = Tree::new(keep_dirlinks);
    let mut merger = Merger { tree, limits, stop, contents, layer: 0, entries: 0, bytes: 0 };
    for (index, layer) in layers.iter().enumerate() {
        merger.layer = index as u64;
        blob::read(layer, limits, stop, |source| merger.layer(source))?;
    }
    Ok(merger.tree.into_view())
}

struct Merger<'m> {
    tree: Tree,
    limits: &'m Limits,
    stop: &'m Stop,
    contents: bool,
    layer: u64,
    entries: u64,
    bytes: u64,
}

impl Merger<'_> {
    fn layer(&mut self, source: &mut dyn Source) -> Result<()> {
        let mut reader = Reader::new(source, *self.limits);
        let mut links = Vec::new();
        let mut ordinal = 0;
        while let Some(entry) = reader.next_entry()? {
            self.stop.check()?;
            self.stop.count_entry();
            self.entries += 1;
            Limits::check("entries", self.entries, self.limits.entries)?;
            let digest = self.digest(&entry, &mut reader)?;
            self.entry(entry, (self.layer, ordinal), digest, &mut links)?;
            ordinal += 1;
        }
        for entry in links {
            if !self.hard_link(&entry)? {
                return Err(missing_target(&entry));
            }
        }
        Ok(())
    }

    fn digest(&mut self, entry: &Entry, reader: &mut Reader<'_>) -> Result<Option<String>> {
        if entry.kind != EntryKind::File {
            return Ok(None);
        }
        self.bytes = self.bytes.saturating_add(entry.size);
        Limits::check("bytes", self.bytes, self.limits.bytes)?;
        if !self.contents {
            return Ok(None);
        }
        let mut hasher = Hasher::sha256();
        content(entry, reader, &mut |bytes| {
            hasher.update(bytes);
            Ok(())
        })?;
        Ok(Some(hasher.digest()))
    }

    fn entry(
        &mut self,
        mut entry: Entry,
        place: Place,
        digest: Option<String>,
        links: &mut Vec<Entry>,
    ) -> Result<()> {
        let path = entry.path.clone();
        let parts = components(&path, self.limits)?;
        match marker(&parts, &path)? {
            Marker::None => {}
            found => {
                // The first layer has nothing to hide.
                if self.layer > 0 {
                    self.tree.hide(&parts[..parts.len() - 1], &found, self.layer);
                }
                return Ok(());
            }
        }
        if matches!(entry.kind, EntryKind::Unknown(_)) {
            return Ok(());
        }
        if let EntryKind::HardLink(_) = entry.kind {
            if !self.hard_link(&entry)? {
                links.push(entry);
            }
            return Ok(());
        }
        if parts.is_empty() && entry.kind != EntryKind::Directory {
            return Err(Error::new(Kind::Unsafe, "the archive would replace the root directory"));
        }
        entry.mtime = Time { nanoseconds: 0, ..entry.mtime };
        // SECURITY: unpacking the written archive would set them, and an overlay mount on top would obey them.
        entry.xattrs.retain(|(name, _)| !steers_overlays(name));
        self.tree.put(&parts, Item { entry, file: place, digest }, self.layer)
    }

    fn hard_link(&mut self, entry: &Entry) -> Result<bool> {
        let EntryKind::HardLink(target) = &entry.kind else { return Ok(true) };
        let (from, to) = (components(target, self.limits)?, components(&entry.path, self.limits)?);
        if from.is_empty() || to.is_empty() {
            let shown = display(&entry.path);
            return Err(Error::new(
                Kind::Unsafe,
                format!("{shown}: a hard link must not name the root directory"),
            )
            .on(shown));
        }
        self.tree.link(&from, &to, self.layer)
    }
}

fn missing_target(entry: &Entry) -> Error {
    let shown = display(&entry.path);
    Error::invalid(format!("{shown}: its hard link target is missing")).on(shown)
}
