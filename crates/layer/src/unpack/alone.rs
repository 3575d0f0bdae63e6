//! One layer unpacked by itself, in the form that overlayfs mounts: a directory with what the layer brings. What it says
//! of the layers below waits here until [`super::settle`] knows them.

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

/// A hard link that waits for the layers below.
#[derive(Debug, Clone)]
pub struct Awaiting {
    pub entry: Entry,
    /// Inode of the empty file that keeps its place: what comes later in the archive replaces it, or links to it, as it
    /// would the link. `None` where the file is gone and its number belongs to another one.
    pub place: Option<u64>,
    /// Its target was a directory that came without an entry: a link below, or what took the place of anything else.
    pub found_directory: bool,
    /// Something else of this layer stood where its target's path goes through: nothing below was seen.
    pub is_covered: bool,
    /// How many whiteouts came before it: others hide nothing from it.
    pub claims: usize,
}

/// What is left to do when the layers below are known.
pub struct Unsettled {
    pub claims: Claims,
    /// Directories made for entries that came without one.
    pub implied: Vec<Vec<u8>>,
    /// Modes and times, by inode.
    pub directories: HashMap<u64, Deferred>,
    /// Hard links whose target was not in this layer when they came.
    pub links: Vec<Awaiting>,
    /// Whether the layer says what the root directory is like.
    pub root_described: bool,
    pub report: Report,
    pub checksums: Checksums,
}

/// Verifies and unpacks one layer into the empty directory `root`; needs nothing of any other layer.
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
