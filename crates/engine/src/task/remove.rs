//! Removes one of our containers after its first process is gone: cgroups, state directory, poststop hooks.

use super::{Subject, hooks};
use crate::failure::Result;

/// Returns warnings: poststop hooks that failed.
pub fn remove(subject: &Subject, poststop: bool) -> Result<Vec<String>> {
    let record = &subject.record;
    // One process at a time: a second one must not remove a new container that reuses the id.
    let lock = record.directory.lock()?;
    if let Some(cgroup) = record.cgroup() {
        if !record.state.pid_namespace {
            let _ = cgroup.kill_all();
        }
        cgroup.remove().map_err(crate::cgroups::failure)?;
    }
    record.unmake_cgroup();
    if let Some(mounts) = &record.state.host_mounts {
        // What the set-up has made was written when it was complete.
        let written = record.directory.read_cleanup().ok().flatten().and_then(|written| written.host_mounts);
        written.as_ref().unwrap_or(mounts).detach();
    }
    caisson_resctrl::remove(&record.state.resctrl).map_err(crate::rdt::failure)?;
    record.directory.remove()?;
    drop(lock); // before the hooks, which may take as long as they like
    if record.attached {
        record.guard.forget(record.handle);
    }
    Ok(if poststop { hooks::poststop(&record.config, &record.state) } else { Vec::new() })
}
