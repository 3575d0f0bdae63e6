//! Reads one file of an image without unpacking the rest.

use std::io::Write;

use super::append::tar_error;
use crate::blob::{self, Blob};
use crate::error::display;
use crate::tar::{Entry, EntryKind, Reader, content};
use crate::view::{Merging, merge};
use crate::{Error, Kind, Limits, Result, Stop};

/// Writes the content of the file at `path`, with links followed, to `out`. Everything is verified before the first
/// byte.
pub fn pick(
    layers: &[Blob],
    path: &[u8],
    out: &mut dyn Write,
    limits: &Limits,
    stop: &Stop,
) -> Result<Entry> {
    let view = merge(layers, Merging::default(), limits, stop)?;
    let shown = display(path);
    let found = view.resolve(path).and_then(|found| view.items.get(&found));
    let item = found.ok_or_else(|| {
        Error::new(Kind::NotFound, format!("{shown} is not in the image")).on(shown.clone())
    })?;
    if item.entry.kind != EntryKind::File {
        return Err(Error::new(Kind::Option, format!("{shown} is not a regular file")).on(shown));
    }
    let (number, wanted) = item.file;
    let layer = usize::try_from(number).ok().and_then(|number| layers.get(number));
    let layer = layer.ok_or_else(|| Error::invalid("the image changed while it was read"))?;
    blob::read(layer, limits, stop, |source| {
        let mut reader = Reader::new(source, *limits);
        let mut ordinal = 0;
        while let Some(found) = reader.next_entry()? {
            if ordinal == wanted {
                content(&found, &mut reader, &mut |bytes| {
                    stop.check()?;
                    out.write_all(bytes).map_err(|error| tar_error(error, &found.path))
                })?;
            }
            ordinal += 1;
        }
        out.flush().map_err(|error| tar_error(error, path))
    })?;
    Ok(item.entry.clone())
}
