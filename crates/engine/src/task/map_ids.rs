//! Writes the id maps of a new user namespace, for which the first process waits.

use super::Subject;
use crate::failure::Result;
use crate::idmap;

/// Writes the maps.
pub fn map_ids(subject: &Subject) -> Result<()> {
    match &subject.record.plan.user_namespace {
        Some(namespace) => idmap::write(subject.pid, namespace, &subject.record.rights),
        None => Ok(()),
    }
}
