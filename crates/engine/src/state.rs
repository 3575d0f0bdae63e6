//! The state directory (crate caisson-state) with the engine's type of failures.

use caisson_cgroup as cgroup;

use crate::failure::{Failure, Result};

pub use caisson_state::{
    CgroupState, CleanupRecord, Kind, OverlayState, Progress, ROOTFS, START_SOCKET, StateDirectory,
    StateFile, StateRoot, VERSION, check_id,
};

impl From<caisson_state::Error> for Failure {
    fn from(error: caisson_state::Error) -> Self {
        let caisson_state::Error { kind, message, path, errno, hint } = error;
        Self { path, errno, hint, ..Self::new(kind.code(), kind.phase(), message) }
    }
}

pub fn not_found(id: &str) -> Failure {
    StateDirectory::not_found(id).into()
}

/// The processes, cgroups and directories to remove with a container. If its state is damaged, they come from the
/// record beside it, or else from its configuration. `None` if only the directory exists.
pub(crate) fn cleanup_record(directory: &StateDirectory) -> Result<Option<CleanupRecord>> {
    match directory.read_state() {
        Ok(Some(state)) => return Ok(Some((&state).into())),
        Ok(None) => {}
        Err(error) if error.kind == Kind::Damaged => {}
        Err(error) => return Err(error.into()),
    }
    match directory.read_cleanup() {
        Ok(None) => {}
        Ok(record) => return Ok(record),
        Err(error) if error.kind == Kind::Damaged => {}
        Err(error) => return Err(error.into()),
    }
    Ok(placed_by_configuration(directory))
}

fn placed_by_configuration(directory: &StateDirectory) -> Option<CleanupRecord> {
    let config: serde_json::Value = serde_json::from_slice(&directory.read_config().ok()?).ok()?;
    let cgroups_path = config.pointer("/linux/cgroupsPath").and_then(|path| path.as_str());
    let host = cgroup::Host::detect().ok()?;
    let request = cgroup::Request { id: directory.id(), cgroups_path, rootless: false };
    let places = host.place(&request).ok()?;
    Some(CleanupRecord {
        version: VERSION,
        boot_id: String::new(),
        pid: None,
        start_time: None,
        cgroup: CgroupState {
            mode: host.mode.name().to_owned(),
            directories: places.directories().iter().map(|path| path.display().to_string()).collect(),
        },
        resctrl: Vec::new(),
        directory: None,
        host_mounts: None,
    })
}
