//! What a dead caller has left behind: processes, cgroups, state directories, in this order.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::Duration;

use caisson_cgroup::Cgroup;
use caisson_sys::file::{self, CWD, O_DIRECTORY, O_NOFOLLOW, O_PATH};
use caisson_sys::{pidfd, poll};

use super::Container;

/// How long killed processes may take, all together: uninterruptible work in the kernel is what takes long.
const PATIENCE: Duration = Duration::from_secs(10);

/// The files that a state directory has; anything else in it is not ours, and keeps it.
const STATE_FILES: [&str; 5] = ["start.sock", "state.json", ".state.json", "config.json", "lock"];

/// The mount point of an overlay: empty outside the container.
const ROOTFS: &str = "rootfs";

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
        if cgroup(container).remove().is_ok() {
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
    let Ok(directory) = file::open_at(CWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0) else { return };
    for name in STATE_FILES {
        let _ = file::remove(directory.as_fd(), name, false);
    }
    let _ = file::remove(directory.as_fd(), ROOTFS, true);
    let _ = file::remove(CWD, path, true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_goes_and_what_is_not_ours_stays() {
        let top = std::env::temp_dir().join(format!("caisson-cleanup-{}", std::process::id()));
        for id in ["one", "two"] {
            std::fs::create_dir_all(top.join(id)).unwrap();
            for name in STATE_FILES {
                std::fs::write(top.join(id).join(name), "").unwrap();
            }
            std::fs::create_dir(top.join(id).join(ROOTFS)).unwrap();
        }
        std::fs::write(top.join("two/precious"), "").unwrap();
        remove_state(top.join("one").to_str().unwrap());
        remove_state(top.join("two").to_str().unwrap());
        assert!(!top.join("one").exists());
        let left: Vec<_> =
            std::fs::read_dir(top.join("two")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["precious"]);
        std::fs::remove_dir_all(&top).unwrap();
    }
}
