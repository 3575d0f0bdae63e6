//! Writes the merged root file system of layers as one archive without unpacking them: first merges the names, then
//! reads the remaining contents layer by layer.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use super::append::{archived, tar_error};
use super::plan::{OPAQUE, WHITEOUT, join, plain, split};
use crate::blob::{self, Blob};
use crate::error::display;
use crate::tar::write::Writer;
use crate::tar::{Entry, EntryKind, Reader, content};
use crate::view::{Change, Comparison, Item, Merging, Place, View, difference, merge};
use crate::{Error, Kind, Limits, Result, Stop};

/// The layers and the part of them to write.
#[derive(Debug, Clone, Default)]
pub struct Flatten {
    /// Bottom first.
    pub layers: Vec<Blob>,
    /// This many of them are the base: the output is the difference to them, with whiteouts.
    pub keep: usize,
    /// Only the entries below this directory, relative to it.
    pub path: Vec<u8>,
    pub epoch: Option<i64>,
    pub limits: Limits,
}

/// Names of one file, sorted, and their shared entry.
type Files<'v> = BTreeMap<Place, (Vec<Vec<u8>>, &'v Item)>;
/// The files that have a body.
type Bodies<'f, 'v> = HashMap<Place, &'f (Vec<Vec<u8>>, &'v Item)>;

/// Writes the archive and returns the number of entries.
pub fn flatten(request: &Flatten, out: &mut dyn Write, stop: &Stop) -> Result<u64> {
    let Flatten { layers, limits, epoch, .. } = request;
    let mut view = merge(layers, Merging { contents: request.keep > 0, ..Merging::default() }, limits, stop)?;
    let hidden = if request.keep > 0 { reduce(&mut view, request, stop)? } else { Vec::new() };
    let top = top(&view, &request.path)?;
    let mut writer = Writer::new(out);
    let mut count = 0;
    let mut put = |writer: &mut Writer<&mut dyn Write>, entry: &Entry| {
        count += 1;
        writer.start(&archived(entry, *epoch)).map_err(|error| tar_error(error, &entry.path))
    };
    for path in hidden {
        put(&mut writer, &plain(path, EntryKind::File, 0o644))?;
    }
    // On top of kept layers a directory comes before its entries, as in any layer: a file or link that it replaces is
    // in the way until then, and a link would redirect the entries that follow.
    let as_layer = request.keep > 0;
    let (mut files, mut directories): (Files<'_>, _) = (BTreeMap::new(), Vec::new());
    for (path, item) in &view.items {
        let Some(name) = below(path, &top) else { continue };
        if item.entry.kind == EntryKind::Directory {
            directories.push(Entry { path: name, ..item.entry.clone() });
        } else {
            files.entry(item.file).or_insert_with(|| (Vec::new(), item)).0.push(name);
        }
    }
    if as_layer {
        for directory in &directories {
            put(&mut writer, directory)?;
        }
    }
    for (names, item) in files.values().filter(|(_, item)| item.entry.kind != EntryKind::File) {
        put(&mut writer, &Entry { path: names[0].clone(), ..item.entry.clone() })?;
        for entry in links(names, &item.entry) {
            put(&mut writer, &entry)?;
        }
    }
    let bodies: Bodies<'_, '_> = files
        .iter()
        .filter(|(_, (_, item))| item.entry.kind == EntryKind::File)
        .map(|(k, v)| (*k, v))
        .collect();
    for (number, layer) in layers.iter().enumerate() {
        if !bodies.keys().any(|(of, _)| *of == number as u64) {
            continue;
        }
        blob::read(layer, limits, stop, |source| {
            let mut reader = Reader::new(source, *limits);
            let mut ordinal = 0;
            while let Some(found) = reader.next_entry()? {
                stop.check()?;
                if let Some((names, item)) = bodies.get(&(number as u64, ordinal)) {
                    put(&mut writer, &Entry { path: names[0].clone(), ..item.entry.clone() })?;
                    content(&found, &mut reader, &mut |bytes| {
                        writer.data(bytes).map_err(|error| tar_error(error, &found.path))
                    })?;
                    writer.end(found.size).map_err(|error| tar_error(error, &found.path))?;
                    for entry in links(names, &item.entry) {
                        put(&mut writer, &entry)?;
                    }
                    stop.count_entry();
                }
                ordinal += 1;
            }
            Ok(())
        })?;
    }
    // tar sets the time of a directory at the first entry outside of it. So directories of a whole tree come after
    // their entries, which are in layer order, and deeper directories come first.
    if !as_layer {
        for directory in directories.iter().rev() {
            put(&mut writer, directory)?;
        }
    }
    writer.finish().map_err(|error| tar_error(error, b"the archive"))?;
    Ok(count)
}

/// Reduces `view` to what the layers above the kept ones changed, and returns the whiteouts for the rest.
fn reduce(view: &mut View, request: &Flatten, stop: &Stop) -> Result<Vec<Vec<u8>>> {
    let kept = request.layers.get(..request.keep).ok_or_else(|| {
        let (keep, all) = (request.keep, request.layers.len());
        Error::new(Kind::Option, format!("{keep} layers cannot be kept of {all}"))
    })?;
    let before = merge(kept, Merging { contents: true, ..Merging::default() }, &request.limits, stop)?;
    let changes = difference(&before, view, &Comparison::default(), &mut |_| Ok(None))?;
    let mut hidden = Vec::new();
    let mut changed = View::default();
    for (path, change) in changes {
        if change == Change::Removed {
            let (parent, name) = split(&path);
            hidden.push(join(parent, &[WHITEOUT, name].concat()));
        } else if let Some(item) = view.items.remove(&path) {
            changed.items.insert(path, item);
        }
    }
    debug_assert!(!hidden.iter().any(|path| path.ends_with(OPAQUE)));
    *view = changed;
    Ok(hidden)
}

/// The requested directory, with links followed.
fn top(view: &View, path: &[u8]) -> Result<Vec<u8>> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let shown = display(path);
    let found = view.resolve(path);
    let kind = found.as_ref().and_then(|path| view.items.get(path)).map(|item| &item.entry.kind);
    match (found.clone(), kind) {
        (Some(found), Some(EntryKind::Directory)) => Ok(found),
        (_, None) => Err(Error::new(Kind::NotFound, format!("{shown} is not in the image")).on(shown)),
        _ => Err(Error::new(Kind::Option, format!("{shown} is no directory of the image")).on(shown)),
    }
}

fn below(path: &[u8], top: &[u8]) -> Option<Vec<u8>> {
    let rest = path.strip_prefix(top)?;
    match rest {
        _ if top.is_empty() => Some(rest.to_vec()),
        [] => Some(Vec::new()),
        [b'/', rest @ ..] => Some(rest.to_vec()),
        _ => None,
    }
}

fn links<'n>(names: &'n [Vec<u8>], entry: &'n Entry) -> impl Iterator<Item = Entry> + 'n {
    names[1..].iter().map(|name| Entry {
        path: name.clone(),
        kind: EntryKind::HardLink(names[0].clone()),
        xattrs: Vec::new(),
        ..entry.clone()
    })
}
