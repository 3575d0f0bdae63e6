//! Writes the id maps of a new user namespace, for which the first process waits.

use super::Subject;
use crate::failure::Result;
use crate::idmap;

/// Writes the maps.
pub fn map_ids(subject: &Subject, euid: u32, egid: u32) -> Result<()> {
    match &subject.record.plan.user_namespace {
        Some(namespace) => idmap::write(subject.pid, namespace, euid, egid),
        None => Ok(()),
    }
}
