//! Writes layers from directories, from content of the caller, and from the difference between two states of a tree.
//!
//! The same input gives the same bytes: entries are sorted, whiteouts first within a directory; times have whole
//! seconds and are clamped; user names are left out; PAX headers are used only for what ustar cannot represent.

mod append;
mod flatten;
mod pick;
mod plan;
mod steps;
mod transcode;
mod upper;

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::blob::Blob;
use crate::compress::{self, Sealed, Settings};
use crate::inflate::Compression;
use crate::tar::Entry;
use crate::view::{Change, Comparison, Scan};
use crate::{Limits, Result, Stop};

pub use flatten::{Flatten, flatten};
pub use pick::pick;
pub(crate) use plan::plain;
pub use steps::{compare, snapshot};
pub use transcode::transcode;

/// The content of a file made by a [`Step`].
#[derive(Debug, Clone)]
pub enum Content {
    None,
    Bytes(Vec<u8>),
    /// A file of the host that no other process changes.
    File(PathBuf),
}

/// The base of a difference.
#[derive(Debug, Clone)]
pub enum Base {
    /// The layers of an image, bottom first.
    Layers {
        layers: Vec<Blob>,
        keep_dirlinks: bool,
    },
    /// A file written by [`snapshot`].
    Manifest(PathBuf),
    Directory(PathBuf),
}

/// A part of a layer. Later steps take precedence.
#[derive(Debug, Clone)]
pub enum Step {
    Entry {
        entry: Entry,
        content: Content,
    },
    /// Adds `source` of the host, a directory with its content or any other file, as `at` in the image.
    Tree {
        source: PathBuf,
        at: Vec<u8>,
        scan: Scan,
    },
    /// The upper directory of an overlay: its whiteouts and opaque marks become those of a layer.
    Upper {
        source: PathBuf,
        /// The layers below it, bottom first. If empty, they are not known, and opaque marks are kept.
        below: Vec<Blob>,
        scan: Scan,
    },
    /// Hides a path of the layers below.
    Remove {
        path: Vec<u8>,
    },
    /// Hides everything of the layers below in a directory.
    Opaque {
        path: Vec<u8>,
    },
    /// The changes from the base to the directory.
    Difference {
        source: PathBuf,
        base: Base,
        scan: Scan,
        comparison: Comparison,
    },
}

#[derive(Debug, Clone)]
pub struct Request {
    pub steps: Vec<Step>,
    /// A new file.
    pub output: PathBuf,
    pub settings: Settings,
    /// Times are clamped to this value (SOURCE_DATE_EPOCH).
    pub epoch: Option<i64>,
    pub limits: Limits,
    /// Also writes parent directories that no step adds, as no base has them.
    pub parents: bool,
}

/// What was written.
#[derive(Debug, Default)]
pub struct Report {
    /// `None` if there was nothing to write; then the file does not exist.
    pub sealed: Option<Sealed>,
    pub entries: u64,
    pub warnings: Vec<String>,
    /// The changes of [`Step::Difference`], by path.
    pub changes: Vec<(Vec<u8>, Change)>,
}

/// Writes one layer, or leaves nothing behind.
pub fn write(request: &Request, stop: &Stop) -> Result<Report> {
    let mut plan = plan::Plan::default();
    for step in &request.steps {
        steps::add(step, &mut plan, &request.limits, stop)?;
    }
    if request.parents {
        plan.complete();
    }
    let entries = plan.len() as u64;
    let sealed = match entries {
        0 => None,
        _ => {
            let written = compress::write_file(&request.output, &request.settings, stop, |writing| {
                append::append(&plan, request.epoch, writing, stop)
            });
            Some(written?.1)
        }
    };
    Ok(Report { sealed, entries, warnings: plan.warnings, changes: plan.changes })
}

/// Packs a directory as one plain layer.
pub fn pack(source: &Path, scan: &Scan, out: impl Write + Send, stop: &Stop) -> Result<Report> {
    let mut plan = plan::Plan::default();
    steps::directory(source, b"", scan, &mut plan, stop)?;
    let entries = plan.len() as u64;
    let ((), sealed) = compress::write(out, &Settings::new(Compression::None), stop, |writing| {
        append::append(&plan, None, writing, stop)
    })?;
    Ok(Report { sealed: Some(sealed), entries, warnings: plan.warnings, changes: plan.changes })
}

#[cfg(test)]
mod tests;
