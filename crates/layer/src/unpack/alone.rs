//! Unpacks one layer by itself into the form that overlayfs mounts: a directory with the layer's own entries. What it
//! says of the layers below is recorded until [`super::settle`] knows them.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;

use super::apply::Applier;
use super::checksums::Checksums;
use super::claims::Claims;
use super::finish::Deferred;
use super::policy::{Policy, Report};
use crate::blob::{self, Blob};
use crate::tar::Entry;
use crate::{Limits, Result, Stop};

/// A hard link whose target may be in a layer below.
#[derive(Debug, Clone)]
pub struct Awaiting {
    pub entry: Entry,
    /// Inode of the empty placeholder file: later entries of the archive replace it or link to it as they would the
    /// link. `None` if the file is gone and its number belongs to another file.
    pub place: Option<u64>,
    /// The target was a directory without an entry of its own: it may be a link below, or replace any other file.
    pub found_directory: bool,
    /// Another entry of this layer covers the target's path: nothing below was visible.
    pub is_covered: bool,
    /// Number of whiteouts that precede the link; later ones do not hide its target.
    pub claims: usize,
}

/// The work that remains until the layers below are known.
pub struct Unsettled {
    pub claims: Claims,
    /// Directories created for entries whose parent has no entry.
    pub implied: Vec<Vec<u8>>,
    /// Modes and times, by inode.
    pub directories: HashMap<u64, Deferred>,
    /// Hard links whose target was not in this layer at that point.
    pub links: Vec<Awaiting>,
    /// Whether the layer has an entry for the root directory.
    pub root_described: bool,
    pub report: Report,
    pub checksums: Checksums,
}

/// Verifies and unpacks one layer into the empty directory `root`, independently of all other layers.
pub fn unpack_alone(
    blob: &Blob,
    root: BorrowedFd<'_>,
    limits: Limits,
    policy: Policy,
    stop: &Stop,
) -> Result<Unsettled> {
    let mut applier = Applier::alone(root, limits, policy, stop.clone())?;
    let ((), seen) = blob::read(blob, &limits, stop, |source| applier.layer(source))?;
    applier.report.diff_ids.push(seen.diff_id);
    applier.report.compressed += seen.compressed;
    applier.report.warnings.extend(seen.warning);
    Ok(applier.unsettled())
}
