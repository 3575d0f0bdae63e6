//! Names and files in memory. Links in the middle of a path are followed as if the root were `/`.

use std::collections::{BTreeMap, HashSet};

use super::super::{Item, View};
use crate::error::display;
use crate::tar::{Entry, EntryKind, Time};
use crate::unpack::Marker;
use crate::{Error, Kind, Result};

const MAX_LINKS: usize = 40;

struct Node {
    parent: usize,
    /// Index in `items`.
    item: usize,
    /// The layer that last placed this name.
    layer: u64,
    /// `Some` for a directory.
    children: Option<BTreeMap<Vec<u8>, usize>>,
}

pub struct Tree {
    nodes: Vec<Node>,
    items: Vec<Item>,
    keep_dirlinks: bool,
    /// Whiteouts already applied: directory, name (or empty for all), layer.
    hidden: HashSet<(usize, Vec<u8>, u64)>,
}

const ROOT: usize = 0;

/// A directory without an entry; no [`super::Place`] has this number.
fn implied(layer: u64) -> Item {
    let entry = Entry {
        path: Vec::new(),
        kind: EntryKind::Directory,
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: Time::default(),
        stored: 0,
        size: 0,
        map: None,
        xattrs: Vec::new(),
    };
    Item { entry, file: (layer, u64::MAX), digest: None }
}

impl Tree {
    pub fn new(keep_dirlinks: bool) -> Self {
        let root = Node { parent: ROOT, item: 0, layer: 0, children: Some(BTreeMap::new()) };
        Self { nodes: vec![root], items: vec![implied(0)], keep_dirlinks, hidden: HashSet::new() }
    }

    fn child(&self, node: usize, name: &[u8]) -> Option<usize> {
        self.nodes[node].children.as_ref()?.get(name).copied()
    }

    /// The directory at `path`; with `make` missing directories are created and other files replaced.
    fn directory(&mut self, path: &[&[u8]], make: Option<u64>) -> Result<Option<usize>> {
        let mut rest: Vec<Vec<u8>> = path.iter().rev().map(|part| part.to_vec()).collect();
        let (mut here, mut links) = (ROOT, 0);
        while let Some(name) = rest.pop() {
            if name == b".." {
                here = self.nodes[here].parent;
                continue;
            }
            let found = self.child(here, &name);
            if let Some(node) = found {
                if self.nodes[node].children.is_some() {
                    here = node;
                    continue;
                }
                if let EntryKind::Symlink(target) = &self.items[self.nodes[node].item].entry.kind {
                    links += 1;
                    if links > MAX_LINKS {
                        if make.is_none() {
                            return Ok(None);
                        }
                        let shown = display(&path.join(&b'/'));
                        return Err(Error::new(Kind::Unsafe, format!("{shown}: too many links")));
                    }
                    if target.starts_with(b"/") {
                        here = ROOT;
                    }
                    let parts = target.split(|byte| *byte == b'/');
                    let parts = parts.filter(|part| !matches!(*part, b"" | b".")).rev();
                    let parts: Vec<_> = parts.map(<[u8]>::to_vec).collect();
                    rest.extend(parts);
                    continue;
                }
            }
            let Some(layer) = make else { return Ok(None) };
            here = self.insert(here, &name, implied(layer), u64::MAX);
        }
        Ok(Some(here))
    }

    fn insert(&mut self, parent: usize, name: &[u8], item: Item, layer: u64) -> usize {
        let is_directory = item.entry.kind == EntryKind::Directory;
        self.items.push(item);
        let node =
            Node { parent, item: self.items.len() - 1, layer, children: is_directory.then(BTreeMap::new) };
        self.nodes.push(node);
        let index = self.nodes.len() - 1;
        if let Some(children) = &mut self.nodes[parent].children {
            children.insert(name.to_vec(), index);
        }
        index
    }

    /// A directory on a directory keeps its entries; anything else replaces.
    pub fn put(&mut self, path: &[&[u8]], item: Item, layer: u64) -> Result<()> {
        let Some((name, parents)) = path.split_last() else {
            self.items[ROOT] = item;
            return Ok(());
        };
        let Some(parent) = self.directory(parents, Some(layer))? else { return Ok(()) };
        let existing = self.child(parent, name);
        let is_directory = item.entry.kind == EntryKind::Directory;
        if let Some(node) = existing.filter(|_| self.keep_dirlinks && is_directory)
            && matches!(self.items[self.nodes[node].item].entry.kind, EntryKind::Symlink(_))
            && self.directory(path, None)?.is_some()
        {
            self.nodes[node].layer = layer;
            return Ok(());
        }
        match existing.filter(|node| self.nodes[*node].children.is_some()) {
            Some(node) if is_directory => {
                self.items.push(item);
                self.nodes[node].item = self.items.len() - 1;
                self.nodes[node].layer = layer;
            }
            _ => drop(self.insert(parent, name, item, layer)),
        }
        Ok(())
    }

    /// False if the target does not exist.
    pub fn link(&mut self, from: &[&[u8]], to: &[&[u8]], layer: u64) -> Result<bool> {
        let find = |tree: &mut Self| -> Result<Option<usize>> {
            let Some((name, parents)) = from.split_last() else { return Ok(None) };
            let parent = tree.directory(parents, None)?;
            Ok(parent.and_then(|parent| tree.child(parent, name)))
        };
        let (Some((name, parents)), Some(_)) = (to.split_last(), find(self)?) else { return Ok(false) };
        let Some(parent) = self.directory(parents, Some(layer))? else { return Ok(false) };
        // Creating the parent may have replaced a part of the target's path.
        let Some(source) = find(self)? else { return Ok(false) };
        if self.nodes[source].children.is_some() {
            let shown = display(&to.join(&b'/'));
            return Err(Error::new(Kind::Unsafe, format!("{shown}: a hard link to a directory")).on(shown));
        }
        if self.child(parent, name).is_some_and(|replaced| self.is_within(source, replaced)) {
            let shown = display(&to.join(&b'/'));
            let target = display(&from.join(&b'/'));
            let message =
                format!("{shown}: its hard link target {target} is in the directory that it replaces");
            return Err(Error::invalid(message).on(shown));
        }
        let item = self.nodes[source].item;
        self.nodes.push(Node { parent, item, layer, children: None });
        let index = self.nodes.len() - 1;
        if let Some(children) = &mut self.nodes[parent].children {
            children.insert(name.to_vec(), index);
        }
        Ok(true)
    }

    /// Whether `node` is inside `directory`.
    fn is_within(&self, node: usize, directory: usize) -> bool {
        let above =
            std::iter::successors(Some(node), |node| (*node != ROOT).then(|| self.nodes[*node].parent));
        above.skip(1).any(|above| above == directory)
    }

    /// Applies a whiteout in `parents`; entries of `layer` itself stay.
    pub fn hide(&mut self, parents: &[&[u8]], marker: &Marker<'_>, layer: u64) {
        let Ok(Some(parent)) = self.directory(parents, None) else { return };
        let name: &[u8] = if let Marker::Hide(name) = marker { name } else { b"" };
        if !self.hidden.insert((parent, name.to_vec(), layer)) {
            return; // a duplicate
        }
        match marker {
            Marker::Hide(name) => self.hide_name(parent, name, layer),
            Marker::Opaque => {
                let children = self.nodes[parent].children.as_ref();
                let names: Vec<Vec<u8>> =
                    children.map(|children| children.keys().cloned().collect()).unwrap_or_default();
                for name in names {
                    self.hide_name(parent, &name, layer);
                }
            }
            Marker::None | Marker::Ignore => {}
        }
    }

    fn hide_name(&mut self, parent: usize, name: &[u8], layer: u64) {
        let Some(node) = self.child(parent, name) else { return };
        let children = self.nodes[node].children.as_ref();
        let names: Vec<Vec<u8>> = children.map(|c| c.keys().cloned().collect()).unwrap_or_default();
        for name in names {
            self.hide_name(node, &name, layer);
        }
        let stays = self.nodes[node].layer == layer
            || self.nodes[node].children.as_ref().is_some_and(|c| !c.is_empty());
        if !stays && let Some(children) = &mut self.nodes[parent].children {
            children.remove(name);
        }
    }

    pub fn into_view(self) -> View {
        let mut view = View::default();
        let mut pending = vec![(ROOT, Vec::new())];
        while let Some((node, path)) = pending.pop() {
            let Node { item, children, .. } = &self.nodes[node];
            for (name, child) in children.iter().flatten() {
                let below = if path.is_empty() { name.clone() } else { [&path[..], b"/", name].concat() };
                pending.push((*child, below));
            }
            let mut item = self.items[*item].clone();
            item.entry.path.clone_from(&path);
            item.entry.xattrs.sort();
            view.items.insert(path, item);
        }
        view
    }
}
