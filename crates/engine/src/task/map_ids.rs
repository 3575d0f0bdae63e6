//! Writes the id maps of a new user namespace, for which the first process waits.

use std::os::fd::OwnedFd;

use super::{Subject, mapped_store};
use crate::failure::Result;
use crate::idmap;

/// Writes the maps; returns the image's layers with mapped owners if the plan needs them.
pub fn map_ids(subject: &Subject, euid: u32, egid: u32) -> Result<Option<OwnedFd>> {
    let plan = &subject.record.plan;
    let Some(namespace) = &plan.user_namespace else { return Ok(None) };
    idmap::write(subject.pid, namespace, euid, egid)?;
    // After joining namespaces the helper is inside them, and the store cannot be passed to it.
    if plan.join.is_empty() { mapped_store::of(plan, subject.pid) } else { Ok(None) }
}
