//! Unpacks layers in order into a new directory, which gets its name only when everything is verified.
//!
//! SECURITY: extraction itself must be safe on hostile input, since a digest is known only at the end. The target is
//! accessed by descriptors alone: parents through `openat2(RESOLVE_IN_ROOT)`, last components with `*at` calls that do
//! not follow links, attributes through the new descriptor (CVE-2019-18466, CVE-2021-32760, CVE-2025-47290). See
//! docs/images.md.

mod alone;
mod apply;
mod attributes;
mod checksums;
mod claims;
mod copy_up;
mod finish;
mod flatten;
mod link;
mod merged;
mod moves;
mod owners;
mod policy;
mod remove;
mod settle;
mod settle_links;
mod shift;
mod special;
mod staging;
mod tree;
mod whiteout;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use crate::blob::{self, Blob};
use crate::{Limits, Result, Stop};

pub use alone::{Unsettled, unpack_alone};
pub use checksums::Checksums;
pub use flatten::flatten;
pub use merged::Merged;
pub(crate) use merged::{Found, names};
pub use owners::Owners;
pub use policy::{Fallback, Policy, Report, Skipped};
pub(crate) use remove::{children, children_of_opened};
pub use remove::{remove_tree, remove_tree_of};
pub use settle::{Settled, settle};
pub use shift::{IdRange, Shift};
pub use staging::{remove_directory, remove_directory_of};

pub(crate) use attributes::{ROOTLESS_XATTR, is_acl, of_handle, steers_overlays};
pub(crate) use tree::components;
pub(crate) use whiteout::{Marker, marker};

use apply::Applier;
use staging::Staging;

#[derive(Debug, Clone)]
pub struct Request {
    /// Bottom first.
    pub layers: Vec<Blob>,
    /// Must not exist, or be an empty directory. Its parent must exist.
    pub target: PathBuf,
    pub limits: Limits,
    pub policy: Policy,
}

/// Unpacks all layers or leaves nothing behind.
pub fn unpack(request: &Request, stop: &Stop) -> Result<Report> {
    unpack_for(request, None, stop)
}

/// Like [`unpack`], with `owners` setting owners that this process cannot set; the policy must be rootless then.
pub fn unpack_for(request: &Request, owners: Option<&dyn Owners>, stop: &Stop) -> Result<Report> {
    let staging = Staging::create(&request.target, owners)?;
    let applier = Applier::new(staging.root().as_fd(), request.limits, request.policy, stop.clone())?
        .with_owners(owners);
    let report = apply_all(applier, &request.layers, request.limits, stop)?.finish()?;
    staging.publish()?;
    Ok(report)
}

/// Unpacks all layers into the empty directory `root` like [`unpack_for`], and returns the checksums of the files.
pub fn unpack_into(
    root: BorrowedFd<'_>,
    layers: &[&Blob],
    (limits, policy): (Limits, Policy),
    owners: &dyn Owners,
    stop: &Stop,
) -> Result<Settled> {
    let applier =
        Applier::new(root, limits, policy, stop.clone())?.with_owners(Some(owners)).with_checksums();
    let mut applier = apply_all(applier, layers.iter().copied(), limits, stop)?;
    let checksums = applier.take_checksums();
    Ok(Settled { report: applier.finish()?, checksums })
}

fn apply_all<'r, 'l>(
    mut applier: Applier<'r>,
    layers: impl IntoIterator<Item = &'l Blob>,
    limits: Limits,
    stop: &Stop,
) -> Result<Applier<'r>> {
    for layer in layers {
        let ((), seen) = blob::read(layer, &limits, stop, |source| applier.layer(source))?;
        applier.report.diff_ids.push(seen.diff_id);
        applier.report.compressed += seen.compressed;
        applier.report.warnings.extend(seen.warning);
    }
    Ok(applier)
}
