//! The maps of a new user namespace, for which the first process waits.

use std::os::fd::OwnedFd;

use super::{Subject, mapped_store};
use crate::failure::Result;
use crate::idmap;

/// Writes them; gives the image's layers with mapped owners where the plan asks for them.
pub fn map_ids(subject: &Subject, euid: u32, egid: u32) -> Result<Option<OwnedFd>> {
    let plan = &subject.record.plan;
    let Some(namespace) = &plan.user_namespace else { return Ok(None) };
    idmap::write(subject.pid, namespace, euid, egid)?;
    // After joined namespaces the helper is in them, and the store cannot be handed over.
    if plan.join.is_empty() { mapped_store::of(plan, subject.pid) } else { Ok(None) }
}
