//! `cleanup.json`: the processes, cgroups and directories to remove with a container. It is small, written before the
//! state, and used when the state is damaged.

use serde::{Deserialize, Serialize};

use crate::directory::{CLEANUP, StateDirectory};
use crate::document::{CgroupState, StateFile, parse};
use crate::error::Result;
use crate::mounts::HostMounts;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CleanupRecord {
    pub version: u32,
    pub boot_id: String,
    pub pid: Option<i32>,
    pub start_time: Option<String>,
    pub cgroup: CgroupState,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resctrl: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_mounts: Option<HostMounts>,
}

impl From<&StateFile> for CleanupRecord {
    fn from(state: &StateFile) -> Self {
        Self {
            version: state.version,
            boot_id: state.boot_id.clone(),
            pid: state.pid,
            start_time: state.start_time.clone(),
            cgroup: state.cgroup.clone(),
            resctrl: state.resctrl.clone(),
            directory: state.directory.clone(),
            host_mounts: state.host_mounts.clone(),
        }
    }
}

impl StateDirectory {
    /// `None` if an older version did not write it, or it was removed.
    pub fn read_cleanup(&self) -> Result<Option<CleanupRecord>> {
        let Some(bytes) = self.read_file(CLEANUP)? else { return Ok(None) };
        parse(&bytes, &self.path.join(CLEANUP)).map(Some)
    }
}
