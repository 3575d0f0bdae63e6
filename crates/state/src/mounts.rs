//! Mounts that a container without a mount namespace of its own has made in the caller's: they do not end with it.

use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use caisson_sys::file::{self, CWD, O_NOFOLLOW, O_PATH};
use caisson_sys::{mount, mountinfo};

/// Mounts below a root file system, by their ids (proc_pid_mountinfo(5), field 1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "document", derive(serde::Serialize, serde::Deserialize))]
pub struct HostMounts {
    /// Without links, as mountinfo has it.
    pub root: String,
    /// Those that were there before the container: never ours to detach.
    pub before: Vec<u64>,
    /// Those that it has made; missing until its set-up is complete.
    pub made: Option<Vec<u64>>,
}

impl HostMounts {
    /// What is mounted before the container is set up.
    pub fn before(root: &Path) -> Self {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned()).display().to_string();
        let before = below(&root).into_iter().map(|(id, _)| id).collect();
        Self { root, before, made: None }
    }

    /// The same with what the set-up has made: mounts that others make later are theirs.
    #[must_use]
    pub fn complete(&self) -> Self {
        let made = below(&self.root).into_iter().map(|(id, _)| id).filter(|id| !self.before.contains(id));
        Self { made: Some(made.collect()), ..self.clone() }
    }

    /// Detaches them, the last one first, wherever the container has moved them below its root.
    ///
    /// SECURITY: the container may have put links in the way: what a path leads to is compared with the id.
    pub fn detach(&self) {
        for (id, point) in below(&self.root).into_iter().rev() {
            let is_ours = match &self.made {
                Some(made) => made.contains(&id),
                None => !self.before.contains(&id),
            };
            if !is_ours {
                continue;
            }
            let Ok(fd) = file::open_at(CWD, &point, O_PATH | O_NOFOLLOW, 0) else { continue };
            if file::mount_id(fd.as_fd()).is_ok_and(|found| found == id) {
                let _ = mount::detach(&format!("/proc/self/fd/{}", fd.as_raw_fd())); // EINVAL: no mount point
            }
        }
    }
}

/// Ids and mount points, in the order of the mounts.
fn below(root: &str) -> Vec<(u64, String)> {
    let text = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    mountinfo::parse(&String::from_utf8_lossy(&text))
        .filter(|mounted| mounted.point.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')))
        .map(|mounted| (mounted.id, mounted.point))
        .collect()
}
