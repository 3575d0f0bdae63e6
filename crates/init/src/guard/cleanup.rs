//! What a dead caller has left behind: processes, cgroups, state directories, in this order.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use caisson_cgroup::Cgroup;
use caisson_plan::protocol::CleanupTargets;
use caisson_state::{HostMounts, StateDirectory};
use caisson_sys::{pidfd, poll};

use super::Container;

/// How long killed processes may take, all together: uninterruptible work in the kernel is what takes long.
const PATIENCE: Duration = Duration::from_secs(10);

/// A failure has no reader left: everything is tried, and what fails is left for the next runtime,
/// which finds the state directory.
pub fn all(containers: &BTreeMap<u64, Container>) {
    let cgroup = |container: &Container| Cgroup::open("", &container.targets.cgroup_directories);
    for container in containers.values() {
        kill(container, &cgroup(container));
    }
    for container in containers.values() {
        if let Some(process) = &container.process {
            let _ = poll::readable([process], Some(PATIENCE));
        }
        // Once more: whatever was on its way into the cgroup is there now.
        kill(container, &cgroup(container));
        let CleanupTargets { root, mounts_before, .. } = &container.targets;
        if let Some(before) = mounts_before.clone() {
            HostMounts { root: root.clone(), before, made: None }.detach();
        }
        let groups = caisson_resctrl::remove(&container.targets.resctrl_directories);
        if cgroup(container).remove().is_ok() && groups.is_ok() {
            remove_state(&container.targets.state_directory);
        }
    }
}

fn kill(container: &Container, cgroup: &Cgroup) {
    if !container.targets.cgroup_directories.is_empty() {
        let _ = cgroup.kill_all();
    }
    if let Some(process) = &container.process {
        let _ = pidfd::send_signal(process, 9);
    }
}

fn remove_state(path: &str) {
    let path = Path::new(path);
    let (Some(root), Some(id)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return;
    };
    let _ = StateDirectory::open(root, id).and_then(|directory| directory.remove());
}
