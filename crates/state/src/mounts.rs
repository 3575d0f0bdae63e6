//! Mounts that a container without a mount namespace of its own has made in the caller's: they do not end with it.

use std::os::fd::{AsFd, AsRawFd};

use caisson_sys::file::{self, CWD, O_DIRECTORY, O_NOFOLLOW, O_PATH};
use caisson_sys::{mount, resolve};

/// Where they are: paths inside the root file system `root`, in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "document", derive(serde::Serialize, serde::Deserialize))]
pub struct HostMounts {
    pub root: String,
    pub inside: Vec<String>,
}

impl HostMounts {
    /// Detaches them, the last one first. What is not a mount point, or not any more, is left alone.
    ///
    /// SECURITY: the container may have put links in the way: a path never leads out of its root.
    pub fn detach(&self) {
        let Ok(root) = file::open_at(CWD, &self.root, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0) else { return };
        for path in self.inside.iter().rev() {
            if let Ok(point) = resolve::open_in_root(root.as_fd(), path, O_PATH | O_NOFOLLOW) {
                let _ = mount::detach(&format!("/proc/self/fd/{}", point.as_raw_fd())); // EINVAL: no mount point
            }
        }
    }
}
