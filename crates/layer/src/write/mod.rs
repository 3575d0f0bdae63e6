//! Layers from directories, from what a program says, and from the difference between two states of a tree.
//!
//! The same input gives the same bytes: entries are sorted, with whiteouts before what is beside them; times have whole
//! seconds and are clamped; no names of users; PAX headers only for what ustar cannot say.

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

/// What a file made by a [`Step`] holds.
#[derive(Debug, Clone)]
pub enum Content {
    None,
    Bytes(Vec<u8>),
    /// A file of the host that nobody else changes.
    File(PathBuf),
}

/// Where a difference begins.
#[derive(Debug, Clone)]
pub enum Base {
    /// An image, bottom first.
    Layers {
        layers: Vec<Blob>,
        keep_dirlinks: bool,
    },
    /// A file that [`snapshot`] wrote.
    Manifest(PathBuf),
    Directory(PathBuf),
}

/// A part of a layer. Later ones win.
#[derive(Debug, Clone)]
pub enum Step {
    Entry {
        entry: Entry,
        content: Content,
    },
    /// What is at `source` on the host, a directory with all below it or anything else, as `at` in the image.
    Tree {
        source: PathBuf,
        at: Vec<u8>,
        scan: Scan,
    },
    /// The upper directory of an overlay: its whiteouts and opaque marks become those of a layer.
    Upper {
        source: PathBuf,
        /// The layers it was mounted on, bottom first; empty where nobody knows them: opaque marks stay what they are then.
        below: Vec<Blob>,
        scan: Scan,
    },
    /// Hides a path of the layers below.
    Remove {
        path: Vec<u8>,
    },
    /// Hides everything that the layers below have in a directory.
    Opaque {
        path: Vec<u8>,
    },
    /// What makes the base to the directory.
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
    /// No time is later than this (SOURCE_DATE_EPOCH).
    pub epoch: Option<i64>,
    pub limits: Limits,
    /// Directories above entries are written too where no step says them, as from scratch nobody else does.
    pub parents: bool,
}

/// What was written.
#[derive(Debug, Default)]
pub struct Report {
    /// `None` where there was nothing to write; there is no file then.
    pub sealed: Option<Sealed>,
    pub entries: u64,
    pub warnings: Vec<String>,
    /// Of [`Step::Difference`], by path.
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
