//! Where the file system is mounted.

use std::path::{Path, PathBuf};

use caisson_sys::mountinfo;

/// The usual place; the kernel makes the directory where the processor can do it.
const USUAL: &str = "/sys/fs/resctrl";

/// A mounted resctrl file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub(crate) root: PathBuf,
}

impl Mount {
    /// From the lines of `/proc/self/mountinfo`: at the usual place, else the first one.
    pub fn find(mountinfo: &str) -> Option<Self> {
        let mounts = mountinfo::parse(mountinfo).filter(|mounted| mounted.fstype == "resctrl");
        let points: Vec<_> = mounts.map(|mounted| mounted.point).collect();
        let root = points.iter().find(|point| *point == USUAL).or(points.first())?;
        Some(Self::at(Path::new(root)))
    }

    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Whether the processor controls this resource: `L3`, `MB`.
    pub(crate) fn controls(&self, resource: &str) -> bool {
        self.root.join("info").join(resource).exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_place_comes_first() {
        let line = |point: &str| format!("30 23 0:26 / {point} rw,relatime shared:13 - resctrl resctrl rw\n");
        let other = "25 23 0:22 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n";
        assert_eq!(Mount::find(other), None);
        let found = Mount::find(&(other.to_owned() + &line("/mnt/rdt"))).unwrap();
        assert_eq!(found.root, Path::new("/mnt/rdt"));
        let found = Mount::find(&(line("/mnt/rdt") + &line("/sys/fs/resctrl"))).unwrap();
        assert_eq!(found.root, Path::new("/sys/fs/resctrl"));
        assert_eq!(Mount::find("nonsense"), None);
    }
}
