//! The upper directory of an overlay as a layer: the changes of a container. Its marks are described in
//! Documentation/filesystems/overlayfs.rst.

use std::path::Path;

use super::plan::{Body, Plan, Planned, split};
use super::steps::{adopt, keep_owner, open_root};
use crate::blob::Blob;
use crate::error::display;
use crate::tar::{Entry, EntryKind};
use crate::view::{self, Item, Merging, OVERLAY_OPAQUE, Scan, View, scan};
use crate::{Error, Kind, Result, Stop};

/// `below` are the layers under the overlay, bottom first; empty if they are not known.
pub fn upper(source: &Path, below: &[Blob], options: &Scan, plan: &mut Plan, stop: &Stop) -> Result<()> {
    let options = Scan { overlay: true, ..options.clone() };
    let below = match below {
        [] => None,
        layers => Some(view::merge(layers, Merging::default(), &options.limits, stop)?),
    };
    let scanned = scan(open_root(source)?, &options, stop)?;
    let number = plan.trees.len();
    for (path, item) in &scanned.view.items {
        if is_whiteout(item) {
            plan.remove(path)?;
            continue;
        }
        let mut item = item.clone();
        let opaque = take_marks(&mut item.entry)?;
        let before = below.as_ref().and_then(|below| below.items.get(path));
        if options.owners.rootless {
            keep_owner(&mut item, before);
        }
        match &below {
            Some(below) if opaque => hide_below(path, below, &scanned.view, &options, plan)?,
            None if opaque => plan.opaque(path)?,
            _ => {}
        }
        if path.is_empty() && !opaque && is_untouched_root(&item.entry, before) {
            continue;
        }
        let (device, inode) = item.file;
        plan.put(Planned {
            entry: item.entry,
            body: Body::Tree(number, path.clone()),
            file: Some((number, device, inode)),
        })?;
    }
    adopt(plan, scanned);
    Ok(())
}

/// Removes an overlay's marks from an entry. True for an opaque directory.
fn take_marks(entry: &mut Entry) -> Result<bool> {
    let mut opaque = false;
    let mut kept = Vec::new();
    for (name, value) in std::mem::take(&mut entry.xattrs) {
        if OVERLAY_OPAQUE.contains(&name.as_slice()) {
            opaque |= value == b"y";
        } else if name.ends_with(b"overlay.redirect") || name.ends_with(b"overlay.metacopy") {
            let shown = display(&entry.path);
            let message = format!("{shown} stands for something in a lower layer ({})", display(&name));
            return Err(Error::new(Kind::Unsupported, message)
                .on(shown)
                .hint("mount the overlay with redirect_dir=off,metacopy=off"));
        } else if !view::stays_behind(&name) {
            kept.push((name, value));
        }
    }
    entry.xattrs = kept;
    Ok(opaque)
}

/// Writes whiteouts for the names that an opaque directory hides, as not every tool knows opaque marks. Its
/// subdirectories do not merge with those below either, though they have no mark of their own.
fn hide_below(path: &[u8], below: &View, upper: &View, options: &Scan, plan: &mut Plan) -> Result<()> {
    for (hidden, _) in below.below(path) {
        let parent = split(hidden).0;
        let is_directory = |item: &Item| item.entry.kind == EntryKind::Directory;
        // Below anything else nothing is left to hide.
        let counts = parent == path || upper.items.get(parent).is_some_and(is_directory);
        if counts && !upper.items.contains_key(hidden) && !options.excludes(hidden) {
            plan.remove(hidden)?;
        }
    }
    Ok(())
}

/// The upper directory is created for the mount, not by the container: its time is meaningless.
fn is_untouched_root(root: &Entry, before: Option<&Item>) -> bool {
    let same = |mode, owner, xattrs: &[_]| {
        (root.mode, (root.uid, root.gid)) == (mode, owner) && root.xattrs.as_slice() == xattrs
    };
    match before {
        Some(Item { entry, .. }) => same(entry.mode, (entry.uid, entry.gid), &entry.xattrs),
        None => same(0o755, (0, 0), &[]),
    }
}

/// A character device 0:0, or since Linux 6.7 an empty file with a mark, in a nested overlay.
fn is_whiteout(item: &Item) -> bool {
    match item.entry.kind {
        EntryKind::CharDevice(0, 0) => true,
        EntryKind::File => {
            item.entry.size == 0
                && item.entry.xattrs.iter().any(|(name, _)| name.ends_with(b"overlay.whiteout"))
        }
        _ => false,
    }
}
