//! `state.json`: the description of a container, without anything that can be derived (running, stopped, …).

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cleanup::CleanupRecord;
use crate::directory::{CLEANUP, STATE, StateDirectory};
use crate::error::{Error, Kind, Result};
use crate::mounts::HostMounts;

/// Version of written documents. 2: has a cleanup record beside the state.
pub const VERSION: u32 = 2;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateFile {
    pub version: u32,
    pub id: String,
    pub oci_version: String,
    pub bundle: String,
    pub rootfs: String,
    pub annotations: BTreeMap<String, String>,
    /// RFC 3339 with nanoseconds, in UTC.
    pub created: String,
    /// Name of the creating user, or the uid if it has no name.
    pub owner: String,
    pub status: Progress,
    pub attached: bool,
    pub owner_pid: i32,
    /// Decimal, because it may exceed JavaScript's safe integers.
    pub owner_start_time: String,
    pub boot_id: String,
    pub pid: Option<i32>,
    pub start_time: Option<String>,
    pub cgroup: CgroupState,
    /// Groups of the resctrl file system that are removed with it, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resctrl: Vec<String>,
    pub terminal: bool,
    pub pid_namespace: bool,
    /// The root file system comes from a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<OverlayState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageOrigin>,
    /// A directory elsewhere that was created for this container only and is removed with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Socket of the agent that gets the listener of the filter, for whichever process starts the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener_path: Option<String>,
    /// Without a mount namespace of its own: what is mounted in the caller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_mounts: Option<HostMounts>,
}

impl StateFile {
    /// State of the runtime specification (runtime.md, "State") with runc's additions, as JSON.
    pub fn oci_state(&self, status: &str, pid: i32) -> String {
        serde_json::json!({
            "ociVersion": self.oci_version,
            "id": self.id,
            "pid": pid,
            "status": status,
            "bundle": self.bundle,
            "rootfs": self.rootfs,
            "created": self.created,
            "owner": self.owner,
            "annotations": self.annotations,
        })
        .to_string()
    }
}

/// The part of a store that a container uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayState {
    pub store: String,
    /// Directory below it that is removed with the container.
    pub container: String,
    /// The container writes to memory, not to that directory.
    pub tmpfs: bool,
}

/// The manifest that a container was created from, and its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageOrigin {
    pub transport: String,
    pub path: String,
    pub media_type: String,
    pub digest: String,
    pub size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// Written before anything else exists, so that a killed create can be cleaned up.
    Creating,
    /// The helper has reported `Created`.
    Ready,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupState {
    pub mode: String,
    pub directories: Vec<String>,
}

impl StateDirectory {
    /// Writes the cleanup record first: it lists what to remove even if the state is lost.
    pub fn write_state(&self, state: &StateFile) -> Result<()> {
        self.replace_file(CLEANUP, &encode(&CleanupRecord::from(state))?)?;
        self.replace_file(STATE, &encode(state)?)
    }

    /// `None` if nothing was written yet (a create that was just started, or killed at once).
    pub fn read_state(&self) -> Result<Option<StateFile>> {
        let path = self.path.join(STATE);
        if let Some(bytes) = self.read_file(STATE)? {
            return parse(&bytes, &path).map(Some);
        }
        match self.read_cleanup() {
            Ok(Some(CleanupRecord { pid: Some(_), .. })) => Err(damaged(&path, "the file is missing")),
            Ok(_) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn encode(document: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|error| Error::new(Kind::System, format!("encode state: {error}")))
}

/// Parses a document of this version or an older one.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8], path: &Path) -> Result<T> {
    let mut value: Value =
        serde_json::from_slice(bytes).map_err(|error| damaged(path, &error.to_string()))?;
    let found = value.get("version").and_then(Value::as_u64).unwrap_or(0);
    if found > u64::from(VERSION) {
        let shown = path.display();
        return Err(Error::new(
            Kind::Version,
            format!("unsupported state version {found} in {shown}: expected at most {VERSION}"),
        )
        .on(path)
        .hint("use the version of caisson that created the container"));
    }
    migrate(&mut value, found);
    serde_json::from_value(value).map_err(|error| damaged(path, &error.to_string()))
}

/// One step per version, from the oldest on.
fn migrate(value: &mut Value, found: u64) {
    // 1 → 2: the state is unchanged, and contains the content of its cleanup record.
    if found == 1 {
        value["version"] = Value::from(VERSION);
    }
}

fn damaged(path: &Path, reason: &str) -> Error {
    Error::new(Kind::Damaged, format!("damaged state {}: {reason}", path.display()))
        .on(path)
        .hint("end the container and remove what is left of it: caisson delete --force")
}
